"""The sockets of replies without blocking the loop: what reply.py is for a worker
that may wait. Runs in an asgi worker, after the fork.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from marshal import dumps
from typing import Any

from .asgi_fetch import Desk
from .asgi_loop import Loop, Readiness
from .reply import ClientLeft, TooLong
from .wire import GONE, MARSHAL_VERSION, MAX_INLINE, MAX_MESSAGE, MAX_REPLY, NOSIGNAL

Fields = list[tuple[bytes, bytes]]

_TOO_LONG = f"the status and headers make a message of more than {MAX_MESSAGE} bytes"


class AsyncOutlet:
    """A reply socket, shared by all requests of one gateway loop.

    Messages of different requests may overtake each other, those of one may not:
    each waits until its own is sent.
    """

    def __init__(self, loop: Loop, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._writable = Readiness(loop, sock.fileno(), writing=True)
        self._send = sock.send
        self.fetch = Desk(loop, sock).fetch

    def try_whole(self, request: int, head: tuple[int, Fields], body: bytes) -> bool:
        """Send a finished reply if it fits a message and there is room for it now."""
        try:
            message = dumps((request, head[0], head[1], body), MARSHAL_VERSION)
        except ValueError:
            message = _pack((request, head[0], head[1], body))
        if len(message) > MAX_MESSAGE:
            return False
        try:
            self._send(message, NOSIGNAL)
        except BlockingIOError:
            return False
        except GONE as error:
            raise ClientLeft("the gateway is gone") from error
        return True

    async def deliver(self, message: bytes, fd: int = -1) -> None:
        """Send a message, with a descriptor if fd is one. ClientLeft if the gateway is
        gone, and with it the client."""
        if len(message) > MAX_MESSAGE:
            raise TooLong(_TOO_LONG)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", fd))] if fd >= 0 else []
        while True:
            try:
                self._socket.sendmsg([message], rights, NOSIGNAL)
                return
            except BlockingIOError:
                await self._writable.wait()
            except GONE as error:
                raise ClientLeft("the gateway is gone") from error


class Stream:
    """The rest of a begun reply's body. Owns its end of the pair.

    Its buffer is the back-pressure: write() returns when the kernel has the bytes.
    """

    def __init__(self, loop: Loop, ours: socket.socket) -> None:
        ours.setblocking(False)
        self._socket = ours
        self._writable = Readiness(loop, ours.fileno(), writing=True)
        self._rest = memoryview(b"")  # of a write that was cancelled; goes first
        self._turn = asyncio.Lock()

    def owe(self, data: bytes) -> None:
        """Have data written before anything else; for the stream's first bytes."""
        self._rest = memoryview(data)

    async def write(self, data: bytes) -> None:
        """Write what is owed and all of data. ClientLeft if nobody reads any more."""
        async with self._turn:
            await self._drain()
            self._rest = memoryview(data)
            await self._drain()

    async def _drain(self) -> None:
        while self._rest:
            try:
                self._rest = self._rest[self._socket.send(self._rest, NOSIGNAL) :]
            except BlockingIOError:
                await self._writable.wait()
            except GONE as error:
                raise ClientLeft("the client left") from error

    def close(self) -> None:
        self._writable.forget()
        self._socket.close()


async def whole(outlet: AsyncOutlet, request: int, status: int, fields: Fields, body: bytes) -> None:
    """Send a finished reply, in one message if the body is small enough."""
    if len(body) <= MAX_REPLY:
        message = _pack((request, status, fields, body))
        if len(message) <= MAX_MESSAGE:
            await outlet.deliver(message)
            return
    fd = os.memfd_create("indrik-body", os.MFD_CLOEXEC)
    try:
        rest = memoryview(body)
        while rest:
            rest = rest[os.write(fd, rest) :]
        await part(outlet, request, status, fields, fd, len(body))
    finally:
        os.close(fd)


async def part(outlet: AsyncOutlet, request: int, status: int, fields: Fields, fd: int, length: int) -> None:
    """Send a finished reply whose body is the beginning of a file. Leaves fd open."""
    await outlet.deliver(_pack((request, status, fields, (0, length))), fd)


async def begin(loop: Loop, outlet: AsyncOutlet, request: int, status: int, fields: Fields, first: bytes) -> Stream:
    """Send the head and what fits of the first bytes; returns the stream, which has the
    rest still to write."""
    theirs, ours = socket.socketpair()
    try:
        head: tuple[Any, ...] = (request, status, fields, None)
        message, rest = _pack((*head, first[:MAX_INLINE])), first[MAX_INLINE:]
        if len(message) > MAX_MESSAGE:
            message, rest = _pack((*head, b"")), first
        await outlet.deliver(message, theirs.fileno())
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    stream = Stream(loop, ours)
    stream.owe(rest)
    return stream


def _pack(message: Any) -> bytes:
    """The bytes of a message that begins with a head."""
    try:
        return dumps(message, MARSHAL_VERSION)
    except ValueError:
        # marshal writes exact types only; a pair may be a named tuple, or iterable otherwise.
        request, status, fields, *body = message
        exact = [(bytes(name), bytes(value)) for name, value in fields]
        return dumps((request, status, exact, *body), MARSHAL_VERSION)
