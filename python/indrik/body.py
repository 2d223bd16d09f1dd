"""wsgi.input: the body of a request, however it travels. Runs in the worker.

docs/protocol.md, "Lane: requests": whole in the message, whole in a file, or read
from a socket as it arrives. All three are what PEP 3333 asks for and end where the
body ends (wsgi.input_terminated). File and socket are fetched from the gateway by
the worker that has taken the request.
"""

from __future__ import annotations

import functools
import io
import marshal
import socket
from typing import TYPE_CHECKING, Any, BinaryIO

from .wire import CLOEXEC, GONE, MARSHAL_VERSION, NOSIGNAL, PeerGone, WireError, close_all, descriptors

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from .reply import Outlet

_WISH = b"."  # one byte, whichever
_BUFFER = 64 << 10
_ROOM = 64  # bytes of the gateway's answer, which is shorter
ASK_AGAIN = 1.0  # seconds


class BodyCut(ConnectionResetError):
    """The client left, stopped or broke the framing before its body was complete.

    An OSError, as applications expect of a connection that breaks.
    """

    __module__ = "indrik"  # how tracebacks name it


class Arriving(io.RawIOBase):
    """The body as it arrives. Nothing is asked of the client before the first read."""

    def __init__(self, stream: socket.socket) -> None:
        """Take the stream over."""
        super().__init__()
        stream.settimeout(None)  # whatever timeout the application made the default
        self._stream = stream
        self._wished = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Wait for some of the body; 0 at its end, BodyCut if it will not come."""
        try:
            if not self._wished:
                self._wished = True
                self._stream.send(_WISH, NOSIGNAL)
            return self._stream.recv_into(buffer)
        except GONE as error:
            raise BodyCut("the request body ended before it was complete") from error

    def close(self) -> None:
        super().close()
        self._stream.close()


class Offer(io.BytesIO):
    """The empty body of a request whose connection the application may take over, and the
    socket to do that with, in environ.

    What is written to the socket goes to the client as it is; the first byte of it takes
    the connection, and then no reply is wanted.
    """

    # simple-websocket looks for those of Werkzeug and of Gunicorn, in this order.
    _NAMES = ("indrik.socket", "gunicorn.socket", "werkzeug.socket")

    def __init__(self, stream: socket.socket, environ: dict[str, Any]) -> None:
        """Take the stream over."""
        super().__init__()
        stream.settimeout(None)  # as for a body that arrives
        self._environ = environ
        environ.update(dict.fromkeys(self._NAMES, stream))

    def close(self) -> None:
        """Let the connection end, for the request has ended.

        Whoever still waits on the socket, in another thread perhaps, reads its end of file,
        and may have a last word: with simple-websocket that is the answer to the client's
        close. The socket is closed by the last one who holds it: a descriptor that is
        closed while another thread uses it may already be another's then, and eventlet
        would not wake who waits on it. The gateway waits a second for that.
        """
        super().close()
        stream = self._environ.get(self._NAMES[0])
        for name in self._NAMES:
            self._environ.pop(name, None)
        if stream is not None:
            try:
                stream.shutdown(socket.SHUT_RD)
            except OSError:
                pass  # the application has closed it, or the gateway its end


@functools.cache
def _client() -> type[socket.socket]:
    """The class of the socket of an Offer. Made when it is first wanted: gevent and eventlet
    put classes of their own in place of socket.socket."""

    class Client(socket.socket):
        """A socket whose send() sends everything.

        On a blocking socket it does so anyhow, and programs rely on that: with gevent and
        eventlet simple-websocket would lose the end of a large message.
        """

        def send(self, data: ReadableBuffer, flags: int = 0, /) -> int:
            sent, view = 0, memoryview(data).cast("B")
            while sent < len(view):
                sent += super().send(view[sent:], flags)
            return sent

    return Client


def opened(body: int | str | None, outlet: Outlet, request: int, environ: dict[str, Any]) -> BinaryIO | None:
    """The body of a request that has a descriptor; None if the request has ended meanwhile.

    ValueError if the body is none that docs/protocol.md knows, and what fetch raises.
    """
    if body not in (None, "socket") and type(body) is not int:
        raise ValueError(f"no body: {body!r:.20}")
    fd = fetch(outlet, request)
    if fd is None:
        return None
    if body is None:
        return open(fd, "rb")
    if body == "socket":
        return Offer(_client()(fileno=fd), environ)
    return io.BufferedReader(Arriving(socket.socket(fileno=fd)), _BUFFER)


def fetch(outlet: Outlet, request: int) -> int | None:
    """Ask the gateway for the descriptor of a request that was taken off a lane. It is the
    caller's. None if there is none: the client left, or the request was another gateway's.

    A gateway that dies may take the question with it. Its successor is asked again, and an
    answer that comes twice is for the next to throw away. A worker that is to leave asks no
    second time: there may be no successor for it. PeerGone if nobody will answer.
    """
    question = marshal.dumps((request, "descriptor"), MARSHAL_VERSION)
    with outlet.turn:
        try:
            while True:
                outlet.send(question, NOSIGNAL)
                while outlet.answers(ASK_AGAIN):
                    answered, fds = answer_about(outlet)
                    if answered == request:
                        return fds[0] if fds else None
                    close_all(fds)
                if outlet.retired:
                    return None
        except GONE as error:
            raise PeerGone from error


def answer_about(outlet: socket.socket) -> tuple[int, list[int]]:
    """Take an answer: the request it is about, and at most one descriptor."""
    data, ancillary, flags, _ = outlet.recvmsg(_ROOM, socket.CMSG_SPACE(4), CLOEXEC)
    fds = descriptors(ancillary)
    if not data:
        raise PeerGone
    try:
        (request,) = marshal.loads(data)
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC) or type(request) is not int:
            raise ValueError("it was cut, or names no request")
        return request, fds
    except (EOFError, ValueError, TypeError) as error:
        close_all(fds)
        raise WireError(f"not the answer to who asked for a descriptor: {error}") from error
