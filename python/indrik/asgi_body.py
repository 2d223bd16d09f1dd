"""The body of a request as an asgi worker reads it: from a file in pieces, or as it
arrives. Runs in the worker, after the fork.

Neither takes anything before the application asks for it, and neither loses
anything if the application stops waiting in between: frameworks look for a
disconnect by a receive() that they cancel at once.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Optional

from .asgi_loop import Loop, Readiness
from .wire import NOSIGNAL

PIECE = 128 << 10  # bytes of a body in one http.request
_WANTED = b"\0"  # any byte: docs/protocol.md, "Lane: requests"

Piece = Optional[tuple[bytes, bool]]  # the bytes and whether more follow; None: the client left


class FileBody:
    """A body that the gateway has collected in a file. Owns the descriptor."""

    def __init__(self, loop: Loop, fd: int) -> None:
        self._loop = loop
        self._fd = fd
        self._size = os.fstat(fd).st_size
        self._position = 0

    async def next(self) -> Piece:
        """The next piece."""
        length = min(PIECE, self._size - self._position)
        data = _cached(self._fd, length, self._position) if length else b""
        if data is None:
            data = await self._loop.run_in_executor(None, os.pread, self._fd, length, self._position)
        if length and not data:
            raise OSError(errno.EIO, "the file with the request's body was cut")
        self._position += len(data)
        return data, self._position < self._size

    def close(self) -> None:
        os.close(self._fd)


def _cached(fd: int, length: int, position: int) -> bytes | None:
    """What the kernel can give without waiting for a disk (preadv2(2), RWF_NOWAIT);
    None if it cannot, or cannot say. PyPy has no preadv."""
    if not hasattr(os, "preadv"):
        return None
    piece = bytearray(length)
    try:
        size = os.preadv(fd, [piece], position, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            return None
        raise
    return bytes(piece) if size == length else bytes(piece[:size])


class StreamBody:
    """A body that is read as it arrives. Owns the socket.

    length is what the client declared, -1 if it did not.
    """

    def __init__(self, loop: Loop, fd: int, length: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._readable = Readiness(loop, fd)
        self._socket.setblocking(False)
        self._left = length
        self._asked = False

    async def next(self) -> Piece:
        """The next piece, as soon as there are any bytes."""
        try:
            data = await self._receive()
        except (ConnectionResetError, BrokenPipeError):
            return None
        if self._left > 0:
            self._left -= len(data)
        return data, bool(data) and self._left != 0

    async def _receive(self) -> bytes:
        if not self._asked:
            self._socket.send(_WANTED, NOSIGNAL)
            self._asked = True
        while True:
            try:
                return self._socket.recv(PIECE)
            except BlockingIOError:
                await self._readable.wait()

    def close(self) -> None:
        self._readable.forget()
        self._socket.close()
