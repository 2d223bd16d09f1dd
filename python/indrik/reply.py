"""The messages of a reply, and the sockets and files they travel with. Runs in
the worker.

docs/protocol.md, "Reply": a whole reply in one message; a whole reply with its
body in a file; a begun reply with a stream for the rest; the end of a begun one.
"""

from __future__ import annotations

import os
import socket
import struct
from _thread import allocate_lock
from marshal import dumps
from select import POLLIN, poll  # now, because eventlet takes poll away
from typing import TYPE_CHECKING, Any

from .heads import Headers
from .wire import GONE, MARSHAL_VERSION, MAX_INLINE, MAX_MESSAGE, MAX_REPLY, NOSIGNAL, PeerGone

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

Head = tuple[int, str, Headers]  # the request's id, the status, the headers

_TOO_LONG = f"the status and headers make a message of more than {MAX_MESSAGE} bytes"


class TooLong(Exception):
    """The head of the reply does not fit a message. Nothing was sent."""

    __module__ = "indrik"  # how tracebacks name it


class ClientLeft(BrokenPipeError):
    """The client left before its reply was complete: stop making it.

    An OSError, because an application that calls write() may see it.
    """


class Outlet(socket.socket):
    """A reply socket. owner is the process that may answer on it: one that the
    application forks off has the same object, and must not.

    What comes back are descriptors that were asked for (body.fetch). turn is held by who
    asks until it has the answer. retired says of all of them that the worker is to leave.
    """

    owner = 0
    retired = False
    turn: AbstractContextManager[Any]

    def __init__(self, fileno: int) -> None:
        """Take the descriptor over."""
        super().__init__(fileno=fileno)
        self.turn = allocate_lock()

    def answers(self, seconds: float) -> bool:
        """Whether there is something to receive within that time."""
        waiter = poll()
        waiter.register(self, POLLIN)
        return bool(waiter.poll(seconds * 1000))


def send_whole(outlet: socket.socket, head: Head, body: bytes) -> None:
    """Send a finished reply, in one message if the body is small enough."""
    if len(body) <= MAX_REPLY:
        message = _pack((*head, body))
        if len(message) <= MAX_MESSAGE:
            _send(outlet, message)
            return
    fd = os.memfd_create("indrik-body", os.MFD_CLOEXEC)
    try:
        _write_all(fd, body)
        send_file(outlet, head, fd, 0, len(body))
    finally:
        os.close(fd)


def send_file(outlet: socket.socket, head: Head, fd: int, offset: int, length: int) -> None:
    """Send a finished reply whose body is a part of a file. Leaves fd open."""
    _send_with(outlet, _pack((*head, (offset, length))), fd)


def inform(outlet: socket.socket, request: int, status: int, headers: Headers) -> None:
    """Send an informational response, ahead of the reply."""
    exact = [(str.__str__(name), str.__str__(text)) for name, text in headers]
    message = dumps((request, status, exact), MARSHAL_VERSION)
    if len(message) > MAX_MESSAGE:
        raise TooLong(_TOO_LONG)
    _send(outlet, message)


def begin(outlet: socket.socket, head: Head, first: bytes) -> socket.socket:
    """Send the head and the first bytes of a body; returns the stream for the
    rest, in which what did not fit the message is already on its way."""
    theirs, ours = socket.socketpair()
    sent = False
    try:
        ours.settimeout(None)  # whatever timeout the application made the default
        message, rest = _pack((*head, None, first[:MAX_INLINE])), first[MAX_INLINE:]
        if len(message) > MAX_MESSAGE:
            message, rest = _pack((*head, None, b"")), first
        _send_with(outlet, message, theirs.fileno())
        sent = True
    finally:
        theirs.close()
        if not sent:
            ours.close()
    # From here on the caller owns a begun reply, so a client that has left is
    # found by its next write and not raised before it has the stream.
    if rest:
        try:
            stream_out(ours, rest)
        except ClientLeft:
            pass
    return ours


def stream_out(stream: socket.socket, data: bytes) -> None:
    """Write more of a begun reply, waiting for a slow client."""
    try:
        stream.sendall(data, NOSIGNAL)
    except GONE as error:
        raise ClientLeft("the client left") from error


def end(outlet: socket.socket, request: int, complete: bool, text: str) -> None:
    """Say how a begun reply ended: after its last byte, before its stream is closed."""
    _send(outlet, dumps((request, None, complete, text), MARSHAL_VERSION))


def _pack(message: Any) -> bytes:
    """The bytes of a message that begins with a Head."""
    try:
        return dumps(message, MARSHAL_VERSION)
    except ValueError:
        # marshal writes exact types only, and an application may give a subclass
        # of str; Django's redirects carry a SafeString.
        request, status, headers, *body = message
        exact: Any = [(str.__str__(name), str.__str__(text)) for name, text in headers]
        return dumps((request, str.__str__(status), exact, *body), MARSHAL_VERSION)


def _send(outlet: socket.socket, message: bytes) -> None:
    try:
        outlet.send(message, NOSIGNAL)
    except GONE as error:
        raise PeerGone from error


def _send_with(outlet: socket.socket, message: bytes, fd: int) -> None:
    if len(message) > MAX_MESSAGE:
        raise TooLong(_TOO_LONG)
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", fd))
    try:
        outlet.sendmsg([message], [rights], NOSIGNAL)
    except GONE as error:
        raise PeerGone from error


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
