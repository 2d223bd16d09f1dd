"""The setting spew: print every line of Python that is executed. Runs in the worker,
before the application is loaded.

It is for finding out where an application hangs when nothing else tells. Threads that
are started afterwards are traced too.
"""

from __future__ import annotations

import linecache
import os
import sys
import threading
from types import FrameType
from typing import Any, Callable, Optional

Trace = Callable[[FrameType, str, Any], Optional["Trace"]]


def begin() -> None:
    """Trace this thread from its next call on, and all threads to come."""
    threading.settrace(_trace)
    sys.settrace(_trace)


def _trace(frame: FrameType, event: str, _: Any) -> Trace | None:
    name = str(frame.f_globals.get("__name__", "[unknown]"))
    if name.partition(".")[0] == __package__:
        return None  # the same lines for every request, and none of them the user's
    if event == "line":
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno, frame.f_globals).rstrip()
        _write(f"{name}:{frame.f_lineno}: {line}\n")
    return _trace


def _write(text: str) -> None:
    """Whole lines, without the buffers of sys.stdout, whose own code would be traced."""
    try:
        os.write(1, text.encode(errors="backslashreplace"))
    except OSError:
        pass  # nobody reads it
