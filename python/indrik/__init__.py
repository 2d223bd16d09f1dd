"""Indrik's Python side: the mold and the workers. Standard library only.

`indrik.run` and `indrik.BaseApplication` start the service from Python (launch.py).
Nothing else is an interface for applications: the package is private to one
version of Indrik, and the same binary holds the other ends of every socket
(docs/protocol.md). It lives inside someone else's program, so it starts
few threads, configures no logging and imports little. What it does touch is listed
in README.md beside pyproject.toml.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .launch import BaseApplication, LaunchError, run

__all__ = ["BaseApplication", "LaunchError", "run"]


def __getattr__(name: str) -> Any:
    """What launch.py has, when it is asked for: the mold and the workers do not."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import launch

    return getattr(launch, name)
