"""An application that needs twice as long to begin as its unit grants."""

import time

from slow_begin import app

time.sleep(6)

__all__ = ["app"]
