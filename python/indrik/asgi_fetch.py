"""Descriptors of requests: bodies and conversations, which an asgi worker asks the gateway
for once it has taken their requests (docs/protocol.md, "Descriptors"). What body.fetch is
for workers that may wait. Runs in an asgi worker, after the fork.
"""

from __future__ import annotations

import asyncio
import socket
from marshal import dumps
from typing import TYPE_CHECKING, Optional

from .asgi_loop import Loop
from .body import ASK_AGAIN, answer_about
from .reply import ClientLeft
from .wire import GONE, MARSHAL_VERSION, NOSIGNAL, PeerGone, WireError, close_all

if TYPE_CHECKING:
    from .asgi_http import Request
    from .asgi_websocket import Conversation

_Waiting = asyncio.Future[Optional[int]]


class Desk:
    """Where the requests of one gateway loop ask. Belongs to the event loop's thread."""

    def __init__(self, loop: Loop, sock: socket.socket) -> None:
        """sock is the reply socket; it stays its owner's."""
        self._loop, self._socket = loop, sock
        self._waiting: dict[int, _Waiting] = {}

    async def fetch(self, request: int) -> int | None:
        """The descriptor of a request, which is the caller's; None if the request has ended
        meanwhile. ClientLeft if the gateway is gone, WireError if it does not say what it
        should. The question is repeated: a gateway that dies may take it with it."""
        answered: _Waiting = self._loop.create_future()
        if not self._waiting:
            self._loop.add_reader(self._socket.fileno(), self._hear)
        self._waiting[request] = answered
        try:
            while not answered.done():
                self._ask(request)
                await asyncio.wait([answered], timeout=ASK_AGAIN)
            return answered.result()
        except asyncio.CancelledError:
            if answered.done() and answered.exception() is None:
                fd = answered.result()
                close_all([] if fd is None else [fd])
            raise
        finally:
            del self._waiting[request]
            if not self._waiting:
                self._loop.remove_reader(self._socket.fileno())

    def _ask(self, request: int) -> None:
        try:
            self._socket.send(dumps((request, "descriptor"), MARSHAL_VERSION), NOSIGNAL)
        except BlockingIOError:
            pass  # there is no room for replies either; the next time, perhaps
        except GONE as error:
            raise ClientLeft("the gateway is gone") from error

    def _hear(self) -> None:
        """Take all answers. One that nobody waits for came twice, or too late."""
        try:
            while True:
                request, fds = answer_about(self._socket)
                waiting = self._waiting.get(request)
                if waiting is None or waiting.done():
                    close_all(fds)
                else:
                    waiting.set_result(fds[0] if fds else None)
        except BlockingIOError:
            pass
        except (PeerGone, *GONE):
            self._fail(ClientLeft("the gateway is gone"))
        except WireError as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error)


class Fetching:
    """A request whose descriptor is on its way, as the worker holds it until then."""

    task: asyncio.Task[None] | None = None
    _left = False
    _winding_up = False

    def leave(self) -> None:
        self._left = True

    def wind_up(self) -> None:
        self._winding_up = True

    def retire(self) -> None:
        if self.task is not None:
            self.task.cancel()

    def pass_on(self, request: Request | Conversation) -> None:
        """Tell the request, now that it can begin, what has happened to it meanwhile."""
        if self._left:
            request.leave()
        if self._winding_up:
            request.wind_up()
