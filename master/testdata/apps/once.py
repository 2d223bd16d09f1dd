"""Can be imported once: the next worker finds the file that this one made."""

import os

flag = os.environ["ONCE"]
if os.path.exists(flag):
    raise RuntimeError("not a second time")
open(flag, "x").close()

from good import application  # noqa: E402, F401
