"""The event loop of an asgi worker, and how tasks wait for a descriptor on it. Runs
in the worker, after the fork.
"""

from __future__ import annotations

import asyncio
import importlib

Loop = asyncio.AbstractEventLoop


class NoLoop(Exception):
    """The wanted event loop is not installed; the text says what to install."""


def new(kind: str) -> Loop:
    """A new loop, made the current one: "asyncio", "uvloop", or for "auto" uvloop if
    it is installed."""
    loop = _uvloop() if kind in ("auto", "uvloop") else None
    if loop is None and kind == "uvloop":
        raise NoLoop("asgi_loop is uvloop, which is not installed: pip install uvloop, or set asgi_loop to auto")
    loop = loop or asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def _uvloop() -> Loop | None:
    try:
        module = importlib.import_module("uvloop")
    except ImportError:
        return None
    loop: Loop = module.new_event_loop()
    return loop


class Readiness:
    """Lets tasks wait until a descriptor can be read, or written, or has an end or an
    error to tell. Nothing is taken from it, so that nothing is lost when a wait is
    cancelled; the next one may begin before a cancelled one has ended."""

    def __init__(self, loop: Loop, fd: int, writing: bool = False) -> None:
        self._loop, self._fd = loop, fd
        self._watch = loop.add_writer if writing else loop.add_reader
        self._unwatch = loop.remove_writer if writing else loop.remove_reader
        self._waiting: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Wait until it is worth another try."""
        woken = self._loop.create_future()
        if not self._waiting:
            self._watch(self._fd, self.forget)
        self._waiting.append(woken)
        await woken

    def forget(self) -> None:
        """Wake those who wait and let go of the descriptor; before it is closed, too."""
        if self._waiting:
            self._unwatch(self._fd)
            waiting, self._waiting = self._waiting, []
            for woken in waiting:
                if not woken.done():
                    woken.set_result(None)


async def end(loop: Loop, timeout: float) -> None:
    """Cancel every other task, and wait until they have ended, for at most timeout
    seconds."""
    rest = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    if rest:
        await asyncio.wait(rest, timeout=timeout)
