"""Modules of ours that a worker may need and most do not: imported when they are first
wanted. Used by mold and worker.

A mold that imports only what it needs is ready in half the time, and so is the first
worker of a service that its first connection starts. What it has put off it imports when
it has nothing else to do (ahead), so that later workers share it.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any


def module(name: str) -> Any:
    """Our module of that name."""
    return importlib.import_module(f"{__package__}.{name}")


def ahead() -> None:
    """Import what workers may want, for those to be forked."""
    module("asgi")


def compiled() -> bytes:
    """What the next mold need not compile if it is given this; empty if this one has been given it, or has
    its modules from files."""
    shelf: Any = sys.modules[str(__package__)].__loader__
    return bytes(shelf.compiled()) if hasattr(shelf, "compiled") else b""
