"""The calling convention of applications: WSGI (PEP 3333). Runs in the worker,
after the fork.

An Exchange lives as long as one request. Its reply goes from nothing sent to
finished in one step if the whole body is known at once; otherwise it is begun
with the first chunk, which the client has before the second is made.
"""

from __future__ import annotations

import functools
import os
import socket
import stat
from collections.abc import Iterable
from marshal import dumps
from types import TracebackType
from typing import Any, Callable, TextIO, Union

from . import late, reply, trouble
from .body import BodyCut
from .deadline import RequestTimeout
from .heads import BrokenRule, Headers, checked
from .reply import ClientLeft, Head, Outlet
from .wire import GONE, MARSHAL_VERSION, MAX_INLINE, MAX_MESSAGE, MAX_REPLY, NOSIGNAL, PeerGone

Application = Callable[..., Any]
Environ = dict[str, Any]
Caught = Union[type[BaseException], tuple[type[BaseException], ...]]
Page = tuple[Headers, bytes]  # headers and body of a response
Explain = Callable[[Environ, BaseException], Page]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType]

_FAILURES = (Exception, SystemExit)

_ERROR_STATUS = "500 Internal Server Error"
ERROR_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Internal Server Error</title></head>\n"
    b"<body><h1>Internal Server Error</h1>\n<p>The application could not answer this request.</p>\n"
    b"</body></html>\n"
)
_LATE_STATUS = "504 Gateway Timeout"
LATE_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Gateway Timeout</title></head>\n"
    b"<body><h1>Gateway Timeout</h1>\n<p>The application took too long to answer this request.</p>\n"
    b"</body></html>\n"
)


class NotStarted(BrokenRule):
    """A body before start_response."""

    __module__ = "indrik"


class FileWrapper:
    """wsgi.file_wrapper: an iterable over a file that may also be sent as a file."""

    def __init__(self, filelike: Any, block_size: int = MAX_INLINE) -> None:
        self.filelike = filelike
        self.block_size = block_size
        self.ahead = b""  # read already, not yet given out

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> bytes:
        data, self.ahead = self.ahead, b""
        data = data or self.filelike.read(self.block_size)
        if data:
            return data
        raise StopIteration

    def close(self) -> None:
        # Looked up only now: Django puts its own close on the file.
        close = getattr(self.filelike, "close", None)
        if close is not None:
            close()


class Exchange:
    """One request's reply in the making."""

    __slots__ = ("_finished", "_headers", "_outlet", "_request", "_status", "_stream", "given_up")

    def __init__(self, request: int, outlet: Outlet) -> None:
        self._request = request
        self._outlet = outlet
        self._status: str | None = None
        self._stream: socket.socket | None = None
        self._finished = False
        self.given_up = False  # it was answered, and the application goes on: see deadline.py

    # What the application calls.

    def start(self, status: str, headers: Headers, exc_info: ExcInfo | None = None) -> Callable[[bytes], None]:
        """start_response(). Keeps a copy of headers."""
        if exc_info is not None:
            try:
                if self._finished or self._stream is not None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # it holds this frame
        elif self._status is not None:
            raise BrokenRule("PEP 3333: start_response may be called again only with exc_info")
        self._headers = checked(status, headers)
        if status < "2":
            raise BrokenRule(f"PEP 3333: {status!r} is no final status; wsgi.early_hints sends 103")
        self._status = status
        return self.write

    def write(self, data: bytes) -> None:
        """The write() callable; ClientLeft if nobody reads any more."""
        if not isinstance(data, bytes):
            raise BrokenRule(f"PEP 3333: write() takes bytes, not {type(data).__name__}")
        if data:
            self._emit(data)

    def hint(self, headers: Headers) -> None:
        """wsgi.early_hints: send these headers ahead, in a 103 (Early Hints) response.

        What is wrong with them is an error here. Once the reply has begun, and to
        clients that speak HTTP/1.0, there is nothing to send and nothing happens.
        """
        pairs = checked("103 Early Hints", headers)
        if self._stream is None and not self._finished:
            reply.inform(self._outlet, self._request, 103, pairs)

    # What the worker calls.

    def answer(self, result: Iterable[bytes]) -> None:
        """Send all that the application returned. Does not close it."""
        unsent = self._stream is None and not self._finished
        if unsent and type(result) in (list, tuple):
            self._finish(_joined(result))
            return
        if unsent and type(result) is FileWrapper and self._send_file(result):
            return
        for chunk in result:
            if not isinstance(chunk, bytes):
                raise BrokenRule(f"PEP 3333: the body consists of bytes, not of {type(chunk).__name__}")
            if not chunk:
                continue
            if self._finished:
                return  # this is more than Content-Length said
            if self._stream is None and _is_single(result):
                self._finish(chunk)
            else:
                self._emit(chunk)
        if self._stream is not None:
            self._end(True, "")
        elif not self._finished:
            self._finish(b"")

    def answer_at_once(self, body: Any) -> bool:
        """Send a whole reply with this body if nothing about it is unusual, else do nothing.

        answer would do the same with five calls more. What those cost a short request is not
        their instructions but that they are in nobody's cache: docs/performance.md.
        """
        if type(body) is not bytes or len(body) > MAX_REPLY or self._status is None:
            return False
        if self._finished or self._stream is not None:
            return False
        try:
            message = dumps((self._request, self._status, self._headers, body), MARSHAL_VERSION)
        except ValueError:
            return False  # a subclass of str, which the long way knows how to write
        if len(message) > MAX_MESSAGE:
            return False
        try:
            self._outlet.send(message, NOSIGNAL)
        except GONE as error:
            raise PeerGone from error
        self._finished = True
        return True

    def fail(self, text: str, late: bool = False, page: Page | None = None) -> None:
        """End the reply of an application that failed: 500 (504 if it was late) with this
        page or the usual one if nothing was sent, else the news that the reply is cut off here."""
        if self._stream is not None:
            self._end(False, text)
        elif not self._finished:
            usual = LATE_PAGE if late else ERROR_PAGE
            self._status = _LATE_STATUS if late else _ERROR_STATUS
            self._headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(usual)))]
            if page is not None:
                self._headers, usual = page
            self._finish(usual)

    def waive(self) -> bool:
        """Reply nothing, because the application has taken the connection over (see
        body.Offer); False if it has begun to reply.

        Programs say so in different ways: by a StopIteration, which Gunicorn wants of
        them, or by an empty answer without start_response.
        """
        if self._status is not None or self._stream is not None or self._finished:
            return False
        self._finished = True
        reply.end(self._outlet, self._request, True, "")
        return True

    def is_copy(self) -> bool:
        """Whether this is not the worker but a process that the application forked off."""
        return self._outlet.owner != os.getpid()

    # The steps of the reply.

    def _emit(self, chunk: bytes) -> None:
        """Send a chunk now, before the application makes the next one."""
        if self._stream is not None:
            if self.is_copy():
                raise PeerGone  # the stream is the worker's
            reply.stream_out(self._stream, chunk)
        elif not self._finished:
            head = self._head()
            if _content_length(self._headers) == len(chunk):
                self._finish(chunk)
            else:
                self._stream = reply.begin(self._outlet, head, chunk)

    def _finish(self, body: bytes) -> None:
        reply.send_whole(self._outlet, self._head(), body)
        self._finished = True

    def _send_file(self, wrapper: FileWrapper) -> bool:
        """Send the file itself if there is one; else the caller must iterate."""
        part = _file_part(wrapper)
        if part is None:
            return False
        fd, offset, length = part
        head = self._head()
        declared = _content_length(self._headers)
        if declared is not None and declared < length:
            length = declared
        reply.send_file(self._outlet, head, fd, offset, length)
        self._finished = True
        return True

    def _end(self, complete: bool, text: str) -> None:
        stream, self._stream, self._finished = self._stream, None, True
        if stream is not None:
            with stream:
                reply.end(self._outlet, self._request, complete, text)

    def _head(self) -> Head:
        if self._status is None:
            raise NotStarted("PEP 3333: start_response must be called before the first byte of the body")
        return self._request, self._status, self._headers


def respond(
    app: Application,
    environ: Environ,
    exchange: Exchange,
    errors: TextIO,
    request: int,
    caught: Caught = _FAILURES,
    id_key: str = "",
    explain: Explain | None = None,
) -> None:
    """Call app, send its answer and close it. PeerGone if nobody takes the answer.

    SystemExit counts as a failed request, as in Gunicorn: an application that
    calls sys.exit() gets a 500 and a traceback, and its worker goes on. Any other
    BaseException ends the worker, unless it answers other requests at the same time: then
    caught is BaseException. id_key is where the environ has the id that the gateway gave
    the request, for the traceback; empty if it gives none. explain makes the page that a
    client is shown of an error. A process that the application forked off answers nothing.
    """
    environ["wsgi.early_hints"] = exchange.hint
    try:
        result = app(environ, exchange.start)
        if type(result) is list:  # by far the most frequent answer, and without a close()
            if len(result) != 1 or not exchange.answer_at_once(result[0]):
                exchange.answer(result)
            return
        try:
            exchange.answer(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
    except (ClientLeft, BodyCut) as left:
        exchange.fail(str(left))
    except PeerGone:
        raise
    except RequestTimeout:  # logged when it was raised
        if exchange.is_copy():
            raise
        exchange.fail("request_timeout", late=True)
    except caught as error:  # the application's; becomes a 500
        if exchange.is_copy():
            raise
        if exchange.given_up:
            return
        if "indrik.socket" in environ and isinstance(error, (StopIteration, NotStarted)) and exchange.waive():
            return
        trouble.log(errors, f"{_named(environ, request, id_key)} failed:\n{trouble.describe(error)}")
        exchange.fail(trouble.one_line(error), page=explain and explain(environ, error))


def responder(options: dict[str, Any], caught: Caught = _FAILURES) -> Callable[..., None]:
    """respond as the options want it. If they want nothing in particular, respond itself:
    a call less for each request."""
    id_field = str(options["request_id_field"])
    explain = late.module("tracebacks").for_wsgi if options["traceback_pages"] else None
    if not id_field and caught is _FAILURES and explain is None:
        return respond
    id_key = id_field and "HTTP_" + id_field.upper().replace("-", "_")
    return functools.partial(respond, caught=caught, id_key=id_key, explain=explain)


def _joined(result: Any) -> bytes:
    """The whole body that a list or tuple holds."""
    if len(result) == 1 and type(result[0]) is bytes:
        return result[0]
    try:
        return b"".join(result)
    except TypeError as error:
        raise BrokenRule(f"PEP 3333: the body consists of bytes: {error}") from None


def _is_single(result: Any) -> bool:
    """Whether the chunk in hand is known to be the last (PEP 3333 allows to ask)."""
    return hasattr(type(result), "__len__") and len(result) == 1


def _content_length(headers: Headers) -> int | None:
    for name, text in headers:
        if name.lower() == "content-length":
            digits = text.strip()
            return int(digits) if digits.isascii() and digits.isdecimal() else None
    return None


def _file_part(wrapper: FileWrapper) -> tuple[int, int, int] | None:
    """The descriptor, offset and length of what wrapper would read, or None.

    That fileno() and tell() speak of what read() returns is not taken on trust:
    a gzip file has both, and they mean the compressed bytes. So the first block is
    read both ways; if they differ it is given out first when the caller iterates.
    """
    file = wrapper.filelike
    try:
        fd, offset = file.fileno(), file.tell()
        info = os.fstat(fd)
    except (AttributeError, OSError, ValueError):  # not a file, or a closed one
        return None
    length = info.st_size - offset
    if not stat.S_ISREG(info.st_mode) or length <= 0:
        return None
    wrapper.ahead = first = file.read(wrapper.block_size)
    whole_block = len(first) == min(wrapper.block_size, length)
    if whole_block and first == os.pread(fd, len(first), offset):
        return fd, offset, length
    return None


def _named(environ: Environ, request: int, id_key: str) -> str:
    method = environ.get("REQUEST_METHOD")
    path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    return f"request {request:#x} {method} {path!r}{trouble.known_as(environ.get(id_key))}"
