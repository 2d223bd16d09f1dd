"""One HTTP request and its reply: what ASGI calls receive and send. Runs in an asgi
worker, after the fork.

The reply goes from nothing sent to finished in one message if the whole body is
known at once; otherwise it is begun with the first piece, and send() returns
when the kernel has taken each.
"""

from __future__ import annotations

import asyncio
import os
import stat
from marshal import dumps
from typing import TYPE_CHECKING, Any, Callable, Union

from . import asgi_reply, trouble
from .app import ERROR_PAGE, LATE_PAGE
from .asgi_body import FileBody, StreamBody
from .asgi_heads import BrokenRule, Head, Message, content_length, fields_of, head_of
from .asgi_reply import AsyncOutlet, Fields, Stream
from .reply import ClientLeft
from .wire import MARSHAL_VERSION, MAX_INLINE

if TYPE_CHECKING:
    from .asgi import Worker

Scope = dict[str, Any]
Application = Callable[..., Any]
Body = Union[bytes, FileBody, StreamBody, None]

_SMALL = MAX_INLINE // 2  # bytes of a body that certainly fits a message, with usual headers
ERROR_HEADERS = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(ERROR_PAGE))]
LATE_HEADERS = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(LATE_PAGE))]
UNAVAILABLE_HEADERS = [(b"retry-after", b"1"), (b"content-length", b"0")]


class Request:
    """One request, from its arrival to the end of the application's call.

    Belongs to the loop's thread. What a request rarely needs has its first value in
    the class, so that making one costs five assignments. Its task is run's of asgi_host.py.
    """

    _head: Head | None = None  # from http.response.start, until it is sent
    _trailers: Fields | None = None  # announced, and collected so far
    _stream: Stream | None = None  # of a begun reply
    _complete = False  # the application has sent the last piece of the body
    finished = False  # the reply is sent, all of it
    _over: asyncio.Event | None = None  # somebody waits for the end
    disconnected = False  # the application is told that the client left
    retired = False  # its time is over: the worker must go
    begun = 0.0  # time.monotonic() at its arrival; only if its time is limited
    noted = False  # slow_request has passed, and the log says so
    overdue = False  # request_timeout has passed, and its task was cancelled
    given_up = False  # and goes on: it was answered without it,
    farewell: asyncio.Future[None] | None = None  # by this
    task: asyncio.Task[None] | None = None  # while the application runs in it

    def __init__(self, worker: Worker, request: int, outlet: AsyncOutlet, body: Body, scope: Scope) -> None:
        self._worker = worker
        self._request = request
        self._outlet = outlet
        self._body = body
        self.scope = scope

    def end(self) -> None:
        """The application's call is over, and so is the request."""
        self.task = None  # which may have another by the time that somebody wants to cancel this one
        if type(self._body) is not bytes:  # as it mostly is, and nobody asked for it
            self._close_body()
        if self._stream is not None:
            self._stream.close()
        self._worker.done(self._request)

    async def conclude(self, error: BaseException | None) -> None:
        """See to its end a reply that was begun for a conversation (asgi_websocket.py),
        whose application has returned or raised error."""
        try:
            if error is not None:
                await self.failed(error)
            elif not self.finished:
                await self.left_unfinished()
        finally:
            if self._stream is not None:
                self._stream.close()

    def leave(self) -> None:
        """The client left, or has at least sent its end: receive() says so, once and for all.
        send() does when the gateway has closed the stream, and then it is certain."""
        if not self.disconnected:
            self._worker.loop.call_later(self._worker.disconnect_grace, self._forsake)
        self.disconnected = True
        if self._over is not None:
            self._over.set()

    def _forsake(self) -> None:
        """The client left a while ago: what the application still does is for nobody."""
        if self.task is not None:
            self.task.cancel()  # nothing happens to one that is done

    async def give_up(self) -> None:
        """Answer without the application, which goes on although it was cancelled. What it
        sends from now on goes nowhere."""
        self.disconnected = True
        if not self.finished:
            await self._fail("request_timeout")

    @property
    def number(self) -> int:
        """Its id."""
        return self._request

    def wind_up(self) -> None:
        """The worker is to leave, and waits for the reply."""

    def retire(self) -> None:
        """The worker leaves and can wait no longer."""
        self.retired = True
        if self.task is not None:
            self.task.cancel()

    # What the application calls.

    async def receive(self) -> Message:
        body = self._body
        if body is not None and not self.disconnected and not self.finished:
            if type(body) is bytes:
                self._body = None
                return {"type": "http.request", "body": body, "more_body": False}
            assert not isinstance(body, bytes)
            piece = await body.next()
            if piece is not None:
                data, more = piece
                if not more:
                    self._close_body()
                return {"type": "http.request", "body": data, "more_body": more}
            self.leave()
        if not self.disconnected and not self.finished:
            self._over = self._over or asyncio.Event()
            await self._over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        kind = message.get("type") if type(message) is dict else _type_of(message)
        if kind == "http.response.start":
            if self._head is not None or self._stream is not None or self.finished:
                raise BrokenRule("ASGI: http.response.start may be sent only once")
            status, headers, head = message.get("status"), message.get("headers"), None
            if type(status) is int and type(headers) is list:
                try:
                    head = self._worker.heads.get((status, *headers))
                except TypeError:
                    pass  # a pair that is no key: it may be allowed nevertheless
            self._head = head or head_of(message, self._worker.heads)
            if message.get("trailers"):
                self._trailers = []
        elif kind == "http.response.body":
            head = self._head
            if head is None or self._trailers is not None or message.get("more_body"):
                await self._send_body(message)
                return
            # The whole reply in one message, the usual case: without a further coroutine.
            data = message.get("body", b"")
            if type(data) is not bytes:
                data = _bytes(data)
            if len(data) > _SMALL or not self._outlet.try_whole(self._request, head, data):
                await asgi_reply.whole(self._outlet, self._request, *head, data)
            self._head, self._complete, self.finished = None, True, True
            if self._over is not None:
                self._over.set()
        elif kind == "http.response.pathsend":
            await self._send_path(message)
        elif kind == "http.response.trailers":
            await self._send_trailers(message)
        elif kind == "http.response.early_hint":
            await self._send_hint(message)
        else:
            raise BrokenRule(f"ASGI: an HTTP request has no message {kind!r} to send")

    # The steps of the reply.

    async def _send_body(self, message: Message) -> None:
        data = message.get("body", b"")
        if type(data) is not bytes:
            data = _bytes(data)
        more = message.get("more_body", False)
        if self._complete:
            raise BrokenRule("ASGI: http.response.body after the one without more_body")
        if self._stream is not None:
            await self._go_on(self._stream, data, more)
        elif self._head is not None:
            if content_length(self._head[1]) != len(data) or self._trailers is not None:
                await self._begin(self._head, data, more)
            else:
                await asgi_reply.whole(self._outlet, self._request, *self._head, data)
                self._end()
        elif self.finished:  # all that Content-Length announced was sent with more_body
            if data:
                raise BrokenRule("ASGI: the body is longer than its content-length")
            self._complete = not more
        else:
            raise BrokenRule("ASGI: http.response.start comes before http.response.body")

    async def _begin(self, head: Head, data: bytes, more: bool) -> None:
        self._stream = await asgi_reply.begin(self._worker.loop, self._outlet, self._request, *head, data)
        self._head = None
        await self._go_on(self._stream, b"", more)

    async def _go_on(self, stream: Stream, data: bytes, more: bool) -> None:
        await stream.write(data)
        if not more:
            self._complete = True
            if self._trailers is None:
                await self._close_stream(stream, True, "")

    async def _close_stream(self, stream: Stream, complete: bool, text: str) -> None:
        end: tuple[Any, ...] = (self._request, None, complete, text)
        if self._trailers:
            end = (*end, self._trailers)
        await self._outlet.deliver(dumps(end, MARSHAL_VERSION))
        self._end()
        self._stream = None
        stream.close()

    async def _send_trailers(self, message: Message) -> None:
        if self._trailers is None or self._stream is None:
            raise BrokenRule("ASGI: http.response.trailers must be announced by trailers in http.response.start")
        if not self._complete:
            raise BrokenRule("ASGI: http.response.trailers before the last http.response.body")
        self._trailers += fields_of(message)
        if not message.get("more_trailers", False):
            await self._close_stream(self._stream, True, "")

    async def _send_hint(self, message: Message) -> None:
        if self._stream is not None or self.finished:
            raise BrokenRule("ASGI: http.response.early_hint after http.response.body")
        hints = fields_of({"headers": [(b"link", link) for link in message.get("links", ())]})
        await self._outlet.deliver(dumps((self._request, 103, hints), MARSHAL_VERSION))

    async def _send_path(self, message: Message) -> None:
        path = message.get("path")
        if not isinstance(path, str) or not os.path.isabs(path):
            raise BrokenRule(f"ASGI: http.response.pathsend takes an absolute path of type str, not {path!r}")
        if self._head is None or self._trailers is not None:
            raise BrokenRule("ASGI: http.response.pathsend follows http.response.start, and has no trailers after it")
        head = self._head
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            fd = await self._worker.loop.run_in_executor(None, os.open, path, flags)
        except OSError as error:
            raise error.with_traceback(None) from None  # of the thread that tried
        try:
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode):
                raise BrokenRule(f"ASGI: http.response.pathsend takes a regular file, which {path!r} is not")
            declared = content_length(head[1])
            length = info.st_size if declared is None else min(declared, info.st_size)
            await asgi_reply.part(self._outlet, self._request, *head, fd, length)
        finally:
            os.close(fd)
        self._complete = True
        self._end()

    def _end(self) -> None:
        self._head = None
        self.finished = True
        if self._over is not None:
            self._over.set()

    def _close_body(self) -> None:
        body, self._body = self._body, None
        if body is not None and not isinstance(body, bytes):
            body.close()

    # How it ends when it does not end well.

    async def left_unfinished(self) -> None:
        """The application returned before its reply was whole."""
        if self._complete:
            text = "ASGI: the application returned without the http.response.trailers it had announced"
        elif self._stream is not None:
            text = "ASGI: the application returned before the last http.response.body"
        else:
            text = "ASGI: the application returned without a response"
        if not self.disconnected:
            trouble.log(self._worker.errors, f"{self.named()} failed:\n{text}\n")
        await self._fail(text)  # also if nobody hears it: the gateway counts what is held

    async def failed(self, error: BaseException) -> None:
        """The application raised error: 500 if nothing was sent, else the news that the
        reply is cut off here. The client's leaving is nobody's fault."""
        if self.given_up:
            return  # what becomes of it is of no interest to anybody
        if isinstance(error, asyncio.CancelledError) and self.overdue:  # logged then
            if not self.finished:
                await self._fail("request_timeout")
            return
        left = came_of_leaving(error)
        if isinstance(error, asyncio.CancelledError) and self.retired:
            text = f"{self.named()} was cut off: the worker leaves and graceful_timeout is over\n"
            trouble.log(self._worker.errors, text)
        elif not left and not (self.disconnected and isinstance(error, asyncio.CancelledError)):
            trouble.log(self._worker.errors, f"{self.named()} failed:\n{trouble.describe(error)}")
        if not self.finished:
            explain = None if left else self._worker.explain
            text = "the client left" if left else trouble.one_line(error)
            await self._fail(text, explain and explain(self.scope, error))

    def named(self) -> str:
        """How lines of the log call it."""
        number = trouble.known_as(id_of(self.scope, self._worker.id_field))
        return f"request {self._request:#x} {self.scope.get('method')} {self.scope.get('path')!r}{number}"

    async def _fail(self, text: str, page: tuple[Fields, bytes] | None = None) -> None:
        try:
            if self._stream is not None:
                self._trailers = None
                await self._close_stream(self._stream, False, text)
            elif self.overdue:
                await asgi_reply.whole(self._outlet, self._request, 504, LATE_HEADERS, LATE_PAGE)
            elif self.retired:
                await asgi_reply.whole(self._outlet, self._request, 503, UNAVAILABLE_HEADERS, b"")
            else:
                await asgi_reply.whole(self._outlet, self._request, 500, *(page or (ERROR_HEADERS, ERROR_PAGE)))
        except ClientLeft:
            pass  # then there is nobody to be told
        self._end()


def _bytes(data: Any) -> bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise BrokenRule(f"ASGI: the body of http.response.body is bytes, not {type(data).__name__}")


def _type_of(message: Any) -> Any:
    try:
        return message["type"]
    except (KeyError, TypeError):
        raise BrokenRule(f"ASGI: a message is a dict with the key 'type', not {message!r:.100}") from None


def came_of_leaving(error: BaseException | None) -> bool:
    """Whether error came of our own ClientLeft, however often it was wrapped."""
    seen = 0
    while error is not None and seen < 20:
        if isinstance(error, ClientLeft):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False


def id_of(scope: Scope, id_field: bytes) -> str:
    """The id that the gateway gave the request in this header field; empty without one."""
    values = (value for name, value in scope.get("headers", ()) if id_field and name == id_field)
    return str(next(values, b""), "latin-1")
