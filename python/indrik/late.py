"""Modules of ours that a worker may need and most do not: imported when they are first
wanted, from memory, because the zip they came in is closed by then and sys.path does not
lead to them. Used by mold and worker.

A mold that imports only what it needs is ready in half the time, and so is the first
worker of a service that its first connection starts. What it has put off it imports when
it has nothing else to do (ahead), so that later workers share it.
"""

from __future__ import annotations

import importlib
import linecache
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# All of ASGI, with asyncio below it, and what few settings and orders ask for.
MODULES = (
    "asgi",
    "asgi_body",
    "asgi_deadline",
    "asgi_http",
    "asgi_lifespan",
    "asgi_loop",
    "asgi_reply",
    "asgi_websocket",
    "check",
    "launch",
    "literals",
    "reload",
    "spew",
    "tracebacks",
)


class Shelf:
    """A finder of modules that holds their sources."""

    def __init__(self, package: Any) -> None:
        """Keep the sources of MODULES, which package's loader can still read."""
        loader, prefix = package.__loader__, f"{package.__name__}."
        self._sources: dict[str, tuple[str, str]] = {}
        for name in MODULES:
            path = f"{package.__path__[0]}/{name}.py"
            self._sources[prefix + name] = path, loader.get_data(path).decode()

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        held = self._sources.get(name)
        return ModuleSpec(name, self, origin=held[0]) if held else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        path, source = self._sources[module.__name__]
        module.__file__ = path
        show(path, source)
        exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)


def show(path: str, source: str) -> None:
    """Let tracebacks show the source of a file that cannot be read any more."""
    linecache.cache[path] = len(source), None, source.splitlines(True), path


def keep(package: ModuleType) -> None:
    """Make MODULES importable for as long as the process lives."""
    sys.meta_path.insert(0, Shelf(package))


def module(name: str) -> Any:
    """The module of that name in MODULES."""
    return importlib.import_module(f"{__package__}.{name}")


def ahead() -> None:
    """Import what workers may want, for those to be forked."""
    module("asgi")
