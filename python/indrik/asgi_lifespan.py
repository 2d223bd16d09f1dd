"""The lifespan of an ASGI application: its startup before the worker is ready, its
shutdown after the last request. Runs in an asgi worker, after the fork.

ASGI, "Lifespan Protocol". The application is called once, in a task of its own
that lasts as long as the worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Callable, TextIO

from . import trouble
from .asgi_heads import BrokenRule

_SCOPE: Mapping[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}


class StartupFailed(Exception):
    """The application said, or showed, that it cannot start; the text is for the user."""


class Lifespan:
    """The one lifespan of a worker. mode is the setting asgi_lifespan: "on" wants the
    application to take part, "auto" takes an exception for the answer that it does
    not, "off" does not ask."""

    def __init__(self, app: Callable[..., Any], mode: str, errors: TextIO) -> None:
        self._app = app
        self._mode = mode
        self._errors = errors
        self._orders: asyncio.Queue[str] = asyncio.Queue()
        self._started = asyncio.Event()
        self._stopped = asyncio.Event()
        self._asked = False  # the application has called receive()
        self._failure: str | None = None
        self._error: BaseException | None = None
        self._task: asyncio.Task[None] | None = None
        self.state: dict[str, Any] | None = None  # what scopes get a shallow copy of

    async def startup(self) -> None:
        """Have the application start; StartupFailed if it cannot."""
        if self._mode == "off":
            return
        state: dict[str, Any] = {}
        self._task = asyncio.ensure_future(self._run({**_SCOPE, "asgi": dict(_SCOPE["asgi"]), "state": state}))
        self._orders.put_nowait("lifespan.startup")
        await self._started.wait()
        if self._failure is not None:
            raise StartupFailed(self._failure)
        if self._task.done():
            self._unsupported()
            self._task = None
            return
        self.state = state

    async def shutdown(self, timeout: float) -> None:
        """Have the application clean up, for at most timeout seconds."""
        if self._task is None or self._task.done():
            return
        self._failure = None
        self._orders.put_nowait("lifespan.shutdown")
        try:
            await asyncio.wait_for(self._stopped.wait(), timeout)
        except asyncio.TimeoutError:
            trouble.log(self._errors, f"lifespan.shutdown was not complete after {timeout:.1f} s\n")
        if self._failure is not None:
            trouble.log(self._errors, f"lifespan.shutdown failed: {self._failure}\n")

    async def _run(self, scope: dict[str, Any]) -> None:
        try:
            await self._app(scope, self._receive, self._send)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (the application's; becomes a failed boot or a log line)
            self._error = error
            if self._started.is_set() and not self._stopped.is_set() and self._failure is None:
                trouble.log(self._errors, f"the application's lifespan ended with:\n{trouble.describe(error)}")
        finally:
            # The task is done before those who wait for it look.
            asyncio.get_running_loop().call_soon(self._started.set)
            asyncio.get_running_loop().call_soon(self._stopped.set)

    def _unsupported(self) -> None:
        """The application returned or raised and did not say that it has started."""
        how = "returned" if self._error is None else trouble.one_line(self._error)
        if self._mode == "on":
            text = f"asgi_lifespan is on, but the application does not take part: {how}"
            raise StartupFailed(text if self._error is None else f"{text}\n{trouble.describe(self._error)}")
        if self._error is not None and self._asked:
            trouble.log(self._errors, f"the application is served without lifespan, because it ended with {how}\n")

    async def _receive(self) -> dict[str, Any]:
        self._asked = True
        return {"type": await self._orders.get()}

    async def _send(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        starting = kind.startswith("lifespan.startup.")
        step = self._started if starting else self._stopped
        if kind.rpartition(".")[2] not in ("complete", "failed") or kind.split(".")[:-1] not in _STEPS:
            raise BrokenRule(f"ASGI: a lifespan has no message {kind!r} to send")
        if step.is_set() or not (starting or self._started.is_set()):
            raise BrokenRule(f"ASGI: {kind} out of order")
        if kind.endswith(".failed"):
            self._failure = str(message.get("message", "")) or f"the application sent {kind} without a message"
        step.set()


_STEPS = (["lifespan", "startup"], ["lifespan", "shutdown"])
