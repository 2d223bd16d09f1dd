"""Development: notice that a file of the application has changed, and serve a traceback
in the place of an application that cannot be loaded. Runs in the worker (setting `reload`).

The worker only says ("changed", paths) to the master, which retires it and has another
one forked: the mold has not imported the application, so the new worker reads it afresh.
"""

from __future__ import annotations

import glob
import html
import os
import sys
from _thread import start_new_thread
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from time import sleep
from types import ModuleType
from typing import Any, Callable, Optional

from .app import Application
from .wire import PeerGone

_PERIOD = 0.25  # seconds between two looks: a thousand stat(2) are some two milliseconds
_Stamp = Optional[tuple[int, int, int]]  # time of change in ns, size, inode; None: not there


class Watch:
    """Looks at the files of all modules, and at those that the setting names.

    A module's file is stamped before it is read: Watch stands first on sys.meta_path,
    where every import comes by, finds the module's file, and leaves the import to those
    behind it. So a file that changes while it is being loaded is seen to have changed,
    and one that could not be loaded, which leaves nothing in sys.modules, is known.
    """

    def __init__(self, extra: Sequence[str]) -> None:
        """Begin to stamp. extra are paths, perhaps with wildcards, from the working directory."""
        self._extra = [os.path.abspath(path) for path in extra]
        self._stamps: dict[str, _Stamp] = {}
        self._modules: set[str] = set()  # names whose files are known
        for path in self._extra_paths():
            self._stamps[path] = _stamp(path)
        # Python takes a .pyc for that of a source of the same size and second. Who saves twice
        # in a second would get what was there first, so none is written.
        sys.dont_write_bytecode = True
        sys.meta_path.insert(0, self)  # a finder needs no base class

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Called by the import system with every module that is to be loaded. Finds none."""
        try:
            spec = PathFinder.find_spec(name, path, target)
        except Exception:  # noqa: BLE001 (of a finder that is not ours; the import itself will meet it again)
            return None
        if spec is not None and spec.has_location and spec.origin is not None:
            self._stamps.setdefault(spec.origin, _stamp(spec.origin))
        return None

    def start(self, changed: Callable[[list[str]], None]) -> None:
        """Look in a thread of its own until something has changed, tell it, and no more."""
        start_new_thread(self._run, (changed,))

    def _run(self, changed: Callable[[list[str]], None]) -> None:
        paths: list[str] = []
        while not paths:
            sleep(_PERIOD)
            self._learn()
            paths = self.changes()
        try:
            changed(paths[:100])
        except PeerGone:
            pass  # the master has gone, and the worker will hear of it too

    def changes(self) -> list[str]:
        """The paths that are not as they were stamped. A file that is missing has not
        changed: editors write a new one and move it there."""
        now = {path: _stamp(path) for path in {*self._stamps, *self._extra_paths()}}
        return sorted(path for path, stamp in now.items() if stamp is not None and stamp != self._stamps.get(path))

    def _learn(self) -> None:
        """Stamp the files of modules that did not come by: made by hand, or loaded from elsewhere."""
        for name in set(sys.modules) - self._modules:
            self._modules.add(name)
            path = getattr(sys.modules.get(name), "__file__", None)
            if isinstance(path, str):
                self._stamps.setdefault(path, _stamp(path))

    def _extra_paths(self) -> list[str]:
        return [path for text in self._extra for path in (glob.glob(text) if glob.has_magic(text) else [text])]


def broken(text: str, options: dict[str, Any]) -> tuple[Application, str]:
    """An application that answers every request with text, the traceback of the one that
    cannot be loaded, and the worker class for it."""
    page = (
        "<!DOCTYPE html>\n<html><head><title>The application cannot be loaded</title></head>\n"
        f"<body><h1>The application cannot be loaded</h1>\n<pre>{html.escape(text)}</pre>\n"
        "<p>It is loaded again as soon as a file changes.</p></body></html>\n"
    ).encode(errors="backslashreplace")
    fields = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page)))]
    if options["worker_class"] == "asgi" or (options["worker_class"], options["interface"]) == ("auto", "asgi"):
        return _asgi_page(page, fields), "asgi"

    def answer(environ: Any, start_response: Any) -> list[bytes]:
        start_response("500 Internal Server Error", fields)
        return [page]

    kind = options["worker_class"]
    if kind in ("auto", "sync"):
        kind = "gthread" if options["threads"] > 1 else "sync"
    return answer, kind


def _asgi_page(page: bytes, fields: list[tuple[str, str]]) -> Application:
    headers = [(name.lower().encode(), value.encode()) for name, value in fields]

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"]
                await send({"type": f"{kind}.complete"})
                if kind == "lifespan.shutdown":
                    return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": page})

    return answer


def _stamp(path: str) -> _Stamp:
    try:
        info = os.stat(path)
    except (OSError, ValueError):
        return None
    return info.st_mtime_ns, info.st_size, info.st_ino
