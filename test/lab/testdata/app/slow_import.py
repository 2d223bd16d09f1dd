"""An application that needs two seconds before it can serve."""

import sys
import time

print("import begun", file=sys.stderr, flush=True)
time.sleep(2)

from webapp import app  # noqa: E402

__all__ = ["app"]
