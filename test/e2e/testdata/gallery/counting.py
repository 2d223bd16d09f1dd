"""As counted, with a metric whose name is one of Indrik's; its hooks are nobody's."""

from counted import application
from prometheus_client import Counter

TAKEN = Counter("indrik_of_the_application", "A name that is not the application's to give")
TAKEN.inc()

__all__ = ["application"]
