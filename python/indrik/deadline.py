"""Deadlines of single requests: slow_request and request_timeout. Runs in the worker,
after the fork.

A request that takes longer than slow_request has its stack written to the log, once. One
that takes longer than request_timeout has it written too, is interrupted where that can be
done without harm to others, and is answered with 504 if nothing was sent yet:

    sync        the master sends SIGNAL, whose handler raises RequestTimeout in the request
    gthread     the main thread has the interpreter raise it in the request's thread
    greenlets   the hub throws it into the request's greenlet
    asgi        the request's task is cancelled (asgi.py)

It is raised in code of the application only: never in ours, which could be in the middle
of a reply. A thread that waits in the kernel hears of it when it returns from there. What
does not end by that, the master ends: it kills the worker request_timeout_grace later.

A task or greenlet is made to be interrupted. A thread is not: the exception comes between
any two instructions of the application, so a worker of threads leaves after it.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from _thread import get_ident
from time import monotonic, monotonic_ns, sleep
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable, TextIO

from . import trouble, wire

if TYPE_CHECKING:
    from .app import Application, Environ, Exchange

# A real-time signal beside that of stacks.py.
SIGNAL = 61

GIVE_UP = 0.8  # of request_timeout_grace: then a task or greenlet that goes on is left alone

_LINES = 10  # about slow requests, in
_PERIOD = 10.0  # seconds
_OURS = os.path.join(os.path.dirname(__file__), "")
_CALLERS = ("respond", "answer", "call", "watched")  # of ours that run code of the application
_WAITERS = ("body.py",)  # of ours that run on behalf of it, and may be interrupted


class RequestTimeout(BaseException):
    """The request took longer than request_timeout. No Exception, so that `except
    Exception` in an application does not take it for a fault of its own."""

    __module__ = "indrik"


class Limits:
    """What the settings say, in seconds; 0 is no limit. It is false if there is none."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.slow = float(options["slow_request"])
        self.most = float(options["request_timeout"])
        self.grace = float(options["request_timeout_grace"])

    def __bool__(self) -> bool:
        return bool(self.slow or self.most)

    def pause(self, longest: float) -> float:
        """How often to look at requests, in seconds: at most longest."""
        each = [limit / 4 for limit in (self.slow, self.most) if limit]
        return max(min([longest, *each]), 0.02)


class Log:
    """Lines about slow and late requests; of the former no more than _LINES in _PERIOD."""

    def __init__(self, limits: Limits, errors: TextIO) -> None:
        self._limits, self._errors = limits, errors
        self._until, self._lines, self._left_out = 0.0, 0, 0

    def slow(self, named: str, age: float, stack: str) -> None:
        now = monotonic()
        if now >= self._until:
            left_out, self._left_out = self._left_out, 0
            self._until, self._lines = now + _PERIOD, 0
            if left_out:
                self._say(f"{left_out} more requests were slow\n")
        self._lines += 1
        if self._lines > _LINES:
            self._left_out += 1
            return
        self._say(f"{named} is slow, {age:.1f} s so far:\n{stack}")

    def late(self, named: str, stack: str) -> None:
        self._say(f"{named} exceeded request_timeout ({self._limits.most:g} s):\n{stack}")

    def _say(self, text: str) -> None:
        try:
            trouble.log(self._errors, text)
        except RuntimeError:
            pass  # a signal in the middle of a write to the same stream, which is not reentrant


class Held:
    """A WSGI request in hand. owner is its thread's ident, or its greenlet; None
    in a sync worker, which has no other."""

    def __init__(self, request: int, environ: Environ, exchange: Exchange, owner: Any) -> None:
        self.request, self.environ, self.exchange, self.owner = request, environ, exchange, owner
        self.start = monotonic()
        self.slow = self.late = self.interrupted = self.given_up = False
        self.settled = False  # the interrupt was sent, to be raised at once or soon
        self._claim = [True]

    def claim(self) -> bool:
        """Whether the caller is the first: its end, or whoever wants to interrupt it.

        Between two instructions of one thread anything can happen in another; to pop from
        a list is one.
        """
        try:
            return self._claim.pop()
        except IndexError:
            return False

    def named(self) -> str:
        path = f"{self.environ.get('SCRIPT_NAME', '')}{self.environ.get('PATH_INFO', '')}"
        return f"request {self.request:#x} {self.environ.get('REQUEST_METHOD')} {path!r}"


class Watch:
    """The WSGI requests that a worker holds, and what becomes of those that take long.

    owner says whose request it is that begins now, frame where an owner stands, interrupt
    raises RequestTimeout there. look is called now and then, in one place at a time.
    tired is called once, when the worker is to leave: because a thread was interrupted, or
    because a greenlet goes on although it was.
    """

    def __init__(
        self,
        limits: Limits,
        errors: TextIO,
        owner: Callable[[], Any],
        frame: Callable[[Any], FrameType | None],
        interrupt: Callable[[Any], None],
        tired: Callable[[], None],
    ) -> None:
        self._limits, self._log = limits, Log(limits, errors)
        self._owner, self._frame, self._interrupt, self._tired = owner, frame, interrupt, tired
        self._held: dict[int, Held] = {}
        self._left = False

    def around(self, respond: Callable[..., None], row: memoryview | None = None) -> Callable[..., None]:
        """respond, whose requests are watched. row is that of a worker whose requests have no
        rows of their own: a request may block the hub before anybody looks."""

        def watched(app: Application, environ: Environ, exchange: Exchange, errors: TextIO, request: int) -> None:
            held = Held(request, environ, exchange, self._owner())
            self._held[request] = held
            if row is not None:
                publish(row, held)
            try:
                try:
                    respond(app, environ, exchange, errors, request)
                finally:
                    self._held.pop(request, None)
                    if not held.claim():
                        take_back(held)
            except RequestTimeout:  # in the moment when respond was about to return
                self._held.pop(request, None)
                exchange.fail("request_timeout", late=True)

        return watched

    def look(self) -> None:
        """See to every request that has passed a limit."""
        now = monotonic()
        for held in list(self._held.values()):
            age = now - held.start
            if self._limits.most and age >= self._limits.most:
                self._see_late(held, age)
            elif self._limits.slow and age >= self._limits.slow and not held.slow:
                held.slow = True
                self._log.slow(held.named(), age, stack_of(self._frame(held.owner)))

    def oldest(self) -> Held | None:
        """The oldest request that is not given up."""
        return next((held for held in list(self._held.values()) if not held.given_up), None)

    def give_up(self) -> None:
        """Answer for greenlets that an interrupt did not end, and leave them alone."""
        now = monotonic()
        for held in list(self._held.values()):
            due = self._limits.most + GIVE_UP * self._limits.grace
            if self._limits.most and not held.given_up and now - held.start >= due:
                held.given_up = held.exchange.given_up = True
                held.exchange.fail("request_timeout", late=True)
                self._leave()

    def _see_late(self, held: Held, age: float) -> None:
        frame = self._frame(held.owner)
        if not held.late:
            held.late = True
            self._log.late(held.named(), stack_of(frame))
        if not held.interrupted and in_application(frame) and held.claim():
            held.interrupted = True
            try:
                if held.owner is None or type(held.owner) is int:
                    self._leave()
                self._interrupt(held.owner)
            finally:
                held.settled = True

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self._tired()


def stack_of(frame: FrameType | None) -> str:
    """The stack that ends in frame, as a traceback has it, without our frames around the
    application's."""
    if frame is None:
        return "  its stack cannot be seen\n"
    whole = traceback.extract_stack(frame)
    return "".join(traceback.format_list(trouble.theirs(whole) or whole))


def in_application(frame: FrameType | None) -> bool:
    """Whether the innermost frames are the application's, or of what waits for it."""
    theirs = False
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_OURS) or os.path.basename(name) in _WAITERS:
            theirs = True
        else:
            return theirs and frame.f_code.co_name in _CALLERS
        frame = frame.f_back
    return False


# How each class finds and interrupts.


def in_signals(limits: Limits, errors: TextIO, row: memoryview, tired: Callable[[], None]) -> Watch:
    """For a sync worker: the master, which sees how long its request takes, sends SIGNAL."""
    worker = os.getpid()
    interrupted: list[FrameType] = []

    def raise_here(owner: Any) -> None:
        raise RequestTimeout

    def heard(signum: int, frame: FrameType | None) -> None:
        if os.getpid() != worker or frame is None or not row[wire.REQUEST]:
            return
        interrupted[:] = [frame]
        try:
            watch.look()
        finally:
            interrupted.clear()

    def here(owner: Any) -> FrameType | None:
        return interrupted[0] if interrupted else None

    watch = Watch(limits, errors, lambda: None, here, raise_here, tired)
    signal.signal(SIGNAL, heard)
    return watch


def in_threads(limits: Limits, errors: TextIO, tired: Callable[[], None]) -> Watch:
    """For a gthread worker: its main thread looks at the others."""
    return Watch(limits, errors, get_ident, lambda thread: sys._current_frames().get(thread), raise_in, tired)


def raise_in(thread: int) -> None:
    """Have the interpreter raise RequestTimeout in a thread, at its next instruction."""
    _set_exception(thread, RequestTimeout)


def take_back(held: Held) -> None:
    """Take back what raise_in has set for a request that is over, if it was not raised yet:
    it would be raised in the next one, or in the seat."""
    if type(held.owner) is not int:
        return
    while not held.settled:
        sleep(0.001)  # the main thread is just about to set it
    _set_exception(held.owner, None)


def _set_exception(thread: int, kind: type[BaseException] | None) -> None:
    try:
        import ctypes  # only here: it is rarely needed, and not everywhere there
    except ImportError:
        return
    api = getattr(ctypes, "pythonapi", None)
    if api is not None and hasattr(api, "PyThreadState_SetAsyncExc"):
        value = None if kind is None else ctypes.py_object(kind)
        api.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), value)


def publish(row: memoryview, oldest: Held | None) -> None:
    """Show the master the oldest request of a worker whose requests have no rows of their
    own, so that it sees how long that takes also if this worker can do nothing any more."""
    if oldest is None:
        row[wire.REQUEST] = 0
        return
    row[wire.START] = monotonic_ns() - int((monotonic() - oldest.start) * 1e9)
    row[wire.REQUEST] = oldest.request
