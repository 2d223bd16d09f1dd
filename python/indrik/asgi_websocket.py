"""One WebSocket conversation: what ASGI calls receive and send. Runs in an asgi
worker, after the fork.

The gateway speaks RFC 6455 with the client; here whole messages come and go on a
SEQPACKET socket of the conversation's own (docs/protocol.md, "Conversation"). A
message is taken from it when the application asks for one, and send() returns when
the kernel has taken one: its buffer is the back-pressure of both sides.
The socket stays with the loop while receive() waits each time it has a message.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from marshal import dumps, loads
from typing import TYPE_CHECKING, Any

from . import asgi_reply, asgi_said, trouble
from .app import ERROR_PAGE
from .asgi_heads import BrokenRule, Message
from .asgi_http import (
    ERROR_HEADERS,
    UNAVAILABLE_HEADERS,
    Application,
    Request,
    Scope,
    came_of_leaving,
    id_of,
)
from .asgi_loop import Readiness
from .asgi_reply import AsyncOutlet
from .reply import ClientLeft, TooLong
from .wire import CLOEXEC, GONE, MARSHAL_VERSION, MAX_INLINE, MAX_MESSAGE, NOSIGNAL, descriptors

if TYPE_CHECKING:
    from .asgi import Worker

# Close codes (RFC 6455 section 7.4.1).
_NORMAL = 1000
_LOST = 1006  # never sent: the client left without a close
_FAILED = 1011
_RESTART = 1012

_CONTROL = socket.CMSG_SPACE(4)  # room for the one descriptor a message may bring

# Where a conversation stands.
_DECIDING, _OPEN, _DENIED, _OVER = range(4)

# What the next message is read into, and taken out of at once.
_room = bytearray(MAX_MESSAGE)
_view = memoryview(_room)


class Conversation:
    """One WebSocket, from its handshake to the end of the application's call.

    Belongs to the loop's thread. Owns the descriptor.
    """

    task: asyncio.Task[None] | None = None
    _stage = _DECIDING
    _greeted = False  # the application was told websocket.connect
    _waiter: asyncio.Future[Message | None] | None = None  # of the receive() that waits
    _watched = False  # the loop looks after the socket
    _large = ""  # the kind of a message whose content is in the next one's file
    _kept: Message | None = None  # taken for a receive() that was cancelled
    _denial: Request | None = None  # the response instead of a conversation
    _end: tuple[int, str] | None = None  # code and reason, once it is known that it ends
    _closed = False  # the application said websocket.close
    _winding_up = False
    _farewell: asyncio.Task[None] | None = None  # says that the worker leaves
    _retired = False  # its time is over: the worker must go

    def __init__(self, worker: Worker, number: int, outlet: AsyncOutlet, fd: int) -> None:
        self._worker = worker
        self._number = number
        self._outlet = outlet
        self._scope: Scope = {}
        self._offered: list[str] = []
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(False)
        self._loop, self._fd = worker.loop, fd
        self._take_into = self._socket.recv_into
        self._put = self._socket.send
        self._writable = Readiness(worker.loop, fd, writing=True)
        self._turn = asyncio.Lock()

    async def serve(self, app: Application, scope: Scope) -> None:
        """Call the application and see the conversation to an end, whatever it does.

        An application that returns has nothing more to say: the client gets code 1000.
        One that raises has failed: 1011, or a 500 if it had not accepted.
        """
        self._scope, self._offered = scope, scope["subprotocols"]
        error: BaseException | None = None
        try:
            await app(scope, self.receive, self.send)
        except (Exception, SystemExit, asyncio.CancelledError) as raised:  # noqa: BLE001 (the application's)
            error = raised
        try:
            await self._conclude(scope, error)
        except ClientLeft:
            pass  # then there is nobody to be told
        finally:
            self._unwatch()
            self._writable.forget()
            self._socket.close()
            self._worker.done(self._number)

    def leave(self) -> None:
        """The client left before the conversation began. Its socket says so, too, and in
        the order of what was said before."""

    def wind_up(self) -> None:
        """The worker is to leave: the client is asked to come again, and the application
        is told and has the time there is to end."""
        self._winding_up = True
        if self._stage == _OPEN and self._end is None:
            self._end = _RESTART, ""
            self._wake()
            self._farewell = self._worker.loop.create_task(self._say_close(_RESTART))

    def retire(self) -> None:
        """The worker leaves and can wait no longer."""
        self._retired = True
        if self.task is not None:
            self.task.cancel()

    # What the application calls.

    async def receive(self) -> Message:
        if not self._greeted:
            self._greeted = True
            return {"type": "websocket.connect"}
        if self._waiter is not None:
            raise BrokenRule("ASGI: receive() is called again while a call of it waits")
        while self._stage in (_DECIDING, _OPEN):
            message, self._kept = self._kept, None
            if message is None and not self._watched:
                message = self._take()
            if message is None and self._end is None and self._stage != _OVER:
                message = await self._next()
            if message is not None:
                return message
            if self._end is not None:
                self._stage = _OVER
        code, reason = self._end or (_LOST, "")
        return {"type": "websocket.disconnect", "code": code, "reason": reason}

    async def send(self, message: Message) -> None:
        try:
            kind = message["type"]
        except (KeyError, TypeError):
            raise BrokenRule(f"ASGI: a message is a dict with the key 'type', not {message!r:.100}") from None
        if kind == "websocket.send":
            if not self._sent_at_once(message):
                await self._send_message(message)
        elif kind == "websocket.accept":
            await self._accept(message)
        elif kind == "websocket.close":
            await self._send_close(message)
        elif kind in ("websocket.http.response.start", "websocket.http.response.body"):
            await self._deny(message)
        else:
            raise BrokenRule(f"ASGI: a WebSocket has no message {kind!r} to send")

    # The steps of a conversation.

    async def _next(self) -> Message | None:
        """Wait for a message; None if there is something else to see to."""
        if not self._watched:
            self._watched = True
            self._loop.add_reader(self._fd, self._arrived)
        waiter: asyncio.Future[Message | None] = self._loop.create_future()
        self._waiter = waiter
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._kept = waiter.result()  # it had come before: it is the next call's
            raise
        finally:
            self._waiter = None

    def _arrived(self) -> None:
        """There is something in the socket. Called by the loop. What nobody waits for
        stays there, and is not looked at before somebody does."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            self._unwatch()
            return
        try:
            message = self._take()
        except Exception as error:  # noqa: BLE001 (what receive() would have raised)
            waiter.set_exception(error)
            return
        if message is not None:
            waiter.set_result(message)
        elif self._end is not None:
            self._wake()

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            self._loop.remove_reader(self._fd)

    def _wake(self) -> None:
        """Have a receive() that waits look again."""
        self._unwatch()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _take(self) -> Message | None:
        """The next message; None if there is none to be had, or none will come."""
        if self._large:
            return self._take_large()
        try:
            size = self._take_into(_room)
        except BlockingIOError:
            return None
        except ConnectionResetError:  # comes once, ahead of what the gateway had sent
            return self._take()
        if not size:  # the gateway is gone, or was kept waiting too long
            self._end, self._stage = self._end or (_LOST, ""), _OVER
            return None
        message = loads(_view[:size])
        kind = message[0]
        if kind == "disconnect":
            self._end, self._stage = self._end or (message[1], message[2]), _OVER
            return None
        data = message[1]
        if data is None:
            self._large = kind
            return self._take_large()
        return {"type": "websocket.receive", kind: data}

    def _take_large(self) -> Message | None:
        """The same of one that was announced. Only what brings its file is received with
        descriptors: to be ready for one costs a tenth of a short message."""
        try:
            size, ancillary, _, _ = self._socket.recvmsg_into([_room], _CONTROL, CLOEXEC)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            return self._take_large()
        kind, self._large = self._large, ""
        fds = descriptors(ancillary)
        if not fds:  # the gateway could not send it, and this is the end
            _, code, reason = loads(_view[:size]) if size else ("disconnect", _LOST, "")
            self._end, self._stage = self._end or (code, reason), _OVER
            return None
        return {"type": "websocket.receive", kind: asgi_said.content(kind, fds[0])}

    async def _accept(self, message: Message) -> None:
        name, fields = asgi_said.acceptance(message, self._offered)
        self._must_be("websocket.accept", _DECIDING)
        await self._deliver(("accept", name, fields))
        self._stage = _OPEN
        if self._winding_up:
            self.wind_up()

    def _sent_at_once(self, message: Message) -> bool:
        """Send a message of the usual kind, if the socket takes it and nobody waits for
        that. What is not usual, or wrong, is left to _send_message."""
        if self._stage != _OPEN or self._end is not None or self._turn.locked():
            return False
        text, data = message.get("text"), message.get("bytes")
        if data is None and type(text) is str and len(text) <= MAX_INLINE and text.isascii():
            packed = dumps(("text", text), MARSHAL_VERSION)
        elif text is None and type(data) is bytes and len(data) <= MAX_INLINE:
            packed = dumps(("bytes", data), MARSHAL_VERSION)
        else:
            return False
        try:
            self._put(packed, NOSIGNAL)
        except BlockingIOError:
            return False
        except GONE as error:
            raise ClientLeft("the client left") from error
        return True

    async def _send_message(self, message: Message) -> None:
        self._must_be("websocket.send", _OPEN)
        text, data = message.get("text"), message.get("bytes")
        if (text is None) == (data is None):
            raise BrokenRule("ASGI: websocket.send has either text or bytes")
        if text is None:
            data = data if type(data) is bytes else asgi_said.data(data)
            if len(data) <= MAX_INLINE:
                await self._deliver(("bytes", data))
            else:
                await self._deliver_large("bytes", data)
            return
        data = asgi_said.utf8(text)
        if len(data) <= MAX_INLINE:
            await self._deliver(("text", str.__str__(text)))
        else:
            await self._deliver_large("text", data)

    async def _send_close(self, message: Message) -> None:
        """websocket.close: before websocket.accept it is a 403 for the client."""
        end = asgi_said.close(message)
        self._must_be("websocket.close", _DECIDING, _OPEN)
        self._closed, self._end, self._stage = True, end, _OVER
        self._wake()  # a receive() that waits has its answer
        await self._deliver(("close", *end))

    async def _deny(self, message: Message) -> None:
        """A piece of the response that the client gets instead of a conversation."""
        if self._denial is None:
            self._must_be(message["type"], _DECIDING)
            self._denial, self._stage = Request(self._worker, self._number, self._outlet, None, self._scope), _DENIED
        await self._denial.send({**message, "type": message["type"][len("websocket.") :]})

    def _must_be(self, kind: str, *stages: int) -> None:
        """BrokenRule if a message is out of order; ClientLeft, an OSError, if it is only
        too late (ASGI since 2.4 of its specification)."""
        if self._closed:
            raise BrokenRule(f"ASGI: {kind} after websocket.close")
        if self._stage == _OVER or self._end is not None:
            raise ClientLeft("the client left")
        if self._stage not in stages:
            state = ("before websocket.accept", "after websocket.accept", "after websocket.http.response.start")
            raise BrokenRule(f"ASGI: {kind} {state[self._stage]}")

    # The end.

    async def _say_close(self, code: int) -> None:
        try:
            await self._deliver(("close", code, ""))
        except ClientLeft:
            pass  # it ends anyhow

    async def _conclude(self, scope: Scope, error: BaseException | None) -> None:
        """The application has returned, or raised error."""
        if self._denial is not None:
            self._denial.retired = self._retired
            await self._denial.conclude(error)
            return
        failed = self._log(scope, error)
        if self._farewell is not None:
            await self._farewell
        if self._stage == _DECIDING and self._end is None:
            if self._retired:
                await asgi_reply.whole(self._outlet, self._number, 503, UNAVAILABLE_HEADERS, b"")
            else:
                await asgi_reply.whole(self._outlet, self._number, 500, ERROR_HEADERS, ERROR_PAGE)
            return
        if self._stage == _OPEN and self._end is None:
            await self._say_close(_RESTART if self._retired else _FAILED if failed else _NORMAL)
        text = trouble.one_line(error) if failed and error is not None else ""
        await self._outlet.deliver(dumps((self._number, None, not failed, text), MARSHAL_VERSION))

    def _log(self, scope: Scope, error: BaseException | None) -> bool:
        """Write down what went wrong, if it did; says whether the application failed."""
        over = self._stage == _OVER or self._end is not None
        cancelled = isinstance(error, asyncio.CancelledError)
        name = f"conversation {self._number:#x} {scope.get('path')!r}"
        name += trouble.known_as(id_of(scope, self._worker.id_field))
        if cancelled and self._retired:
            text = f"{name} was cut off: the worker leaves and graceful_timeout is over\n"
        elif error is not None and not came_of_leaving(error) and not (cancelled and over):
            text = f"{name} failed:\n{trouble.describe(error)}"
        elif error is None and self._stage == _DECIDING and not over:
            text = f"{name} failed:\nASGI: the application returned without websocket.accept or websocket.close\n"
        else:
            return False
        trouble.log(self._worker.errors, text)
        return True

    # The socket.

    async def _deliver(self, message: tuple[Any, ...], fd: int = -1) -> None:
        """Send a message, with a descriptor if fd is one, after those that wait already."""
        data = dumps(message, MARSHAL_VERSION)
        if len(data) > MAX_MESSAGE:
            raise TooLong(f"the headers make a message of more than {MAX_MESSAGE} bytes")
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", fd))] if fd >= 0 else []
        async with self._turn:
            while True:
                try:
                    self._socket.sendmsg([data], rights, NOSIGNAL)
                    return
                except BlockingIOError:
                    await self._writable.wait()
                except GONE as error:
                    raise ClientLeft("the client left") from error

    async def _deliver_large(self, kind: str, data: bytes) -> None:
        fd = os.memfd_create("indrik-message", os.MFD_CLOEXEC)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
            await self._deliver((kind, None), fd)
        finally:
            os.close(fd)
