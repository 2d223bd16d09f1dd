"""wsgi.input: the body of a request, however it travels. Runs in the worker.

docs/protocol.md, "Lane: requests": whole in the message, whole in a file beside
it, or read from a socket as it arrives. All three are what PEP 3333 asks for
and end where the body ends (wsgi.input_terminated).
"""

from __future__ import annotations

import functools
import io
import socket
from typing import TYPE_CHECKING, Any, BinaryIO

from .wire import GONE, NOSIGNAL

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_WISH = b"."  # one byte, whichever
_BUFFER = 64 << 10


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


def opened(body: bytes | int | str | None, fds: list[int], environ: dict[str, Any]) -> BinaryIO:
    """The body of a request message and the descriptors that came with it.

    Takes the descriptors over. ValueError if they do not belong together.
    """
    if body == "socket" and len(fds) == 1:
        return Offer(_client()(fileno=fds[0]), environ)
    if isinstance(body, bytes) and not fds:
        return io.BytesIO(body)
    if body is None and len(fds) == 1:
        return open(fds[0], "rb")
    if type(body) is int and len(fds) == 1:
        return io.BufferedReader(Arriving(socket.socket(fileno=fds[0])), _BUFFER)
    raise ValueError("a body that is not bytes and no descriptor, or no bytes and one")
