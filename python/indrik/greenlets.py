"""The gevent and the eventlet worker: a greenlet for each request, on a lane of the
worker's own. Runs in the worker, after the fork; hub() in the mold before the fork
if that is where the application is loaded.

The standard library is patched before the application is imported. Our own sockets were
made before that and stay blocking ones, so nothing here may wait in a system call: it
asks the hub to wait for the descriptor and lets the others run.
"""

from __future__ import annotations

import functools
import importlib
import io
import os
import socket
import sys
from marshal import loads
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, BinaryIO, Callable, NamedTuple, TextIO

from . import afterfork, deadline, departure, stacks, trouble
from .app import Application, Exchange, FileWrapper, responder
from .body import opened
from .load import Failure
from .reply import Outlet
from .status import Status
from .sync import LOOP_SHIFT
from .wire import ANSWERED, BEAT, MAX_MESSAGE, Channel, PeerGone, WireError

if TYPE_CHECKING:
    from .worker import Post

_AT_ONCE = 16  # requests taken off the lane before those taken get to run
_PARTS = {
    # Beside what we use, what patch_all imports: in a worker that would take longer than all the rest.
    "gevent": (
        *("gevent.monkey", "gevent.socket", "gevent.lock", "gevent.events", "gevent.local", "gevent.queue"),
        *("gevent.select", "gevent.selectors", "gevent.signal", "gevent.ssl", "gevent.subprocess", "gevent.thread"),
        *("gevent.threading", "gevent.time", "importlib.metadata", "concurrent.futures.thread"),
    ),
    "eventlet": ("eventlet.hubs", "eventlet.semaphore"),
}


class Hub(NamedTuple):
    """What we need of gevent or eventlet. Its functions are called in the worker."""

    renew: Callable[[], None]  # after a fork
    spawn: Callable[..., Any]
    sleep: Callable[[float], None]
    wait_read: Callable[..., None]  # one greenlet at a time for a descriptor; may have timeout and timeout_exc
    wait_write: Callable[[int], None]
    semaphore: Callable[[int], Any]
    interrupt: Callable[[Any], None]  # raise RequestTimeout in a greenlet


def prepare(kind: str) -> None:
    """Mold, before the fork: import what every worker of this class will need, and patch
    nothing. If it is missing, the workers say so."""
    if kind in ("gevent", "eventlet"):
        try:
            for name in (kind, *_PARTS[kind]):
                importlib.import_module(name)
        except ImportError:
            pass


def hub(kind: str) -> Hub | None:
    """Patch the standard library for workers of this class; None if it needs no patching.

    Failure if the package is missing. Does nothing the second time.
    """
    if kind not in ("gevent", "eventlet"):
        return None
    try:
        return _gevent() if kind == "gevent" else _eventlet()
    except ImportError as error:
        text = f"worker class {kind} needs the package {kind}: pip install {kind} ({error})"
        raise Failure("load", text, Status.CANNOT_LOAD) from error


def _gevent() -> Hub:
    gevent = importlib.import_module("gevent")
    importlib.import_module("gevent.monkey").patch_all()
    sockets = importlib.import_module("gevent.socket")
    locks = importlib.import_module("gevent.lock")

    def stop(greenlet: Any) -> None:
        greenlet.kill(deadline.RequestTimeout(), block=False)

    return Hub(gevent.reinit, gevent.spawn, gevent.sleep, sockets.wait_read, sockets.wait_write, locks.Semaphore, stop)


def _eventlet() -> Hub:
    eventlet = importlib.import_module("eventlet")
    eventlet.monkey_patch()
    hubs = importlib.import_module("eventlet.hubs")
    return Hub(
        hubs.use_hub,
        eventlet.spawn_n,
        eventlet.sleep,
        functools.partial(hubs.trampoline, read=True),
        functools.partial(hubs.trampoline, write=True),
        importlib.import_module("eventlet.semaphore").Semaphore,
        lambda greenlet: eventlet.kill(greenlet, deadline.RequestTimeout()),
    )


def run(post: Post, app: Application, hub: Hub, errors: TextIO) -> Status:
    """Be a greenlet worker until the end of file of its lane, and until every greenlet has
    answered what it held."""
    if post.own is None:
        raise WireError("no lane of its own for a worker that needs one")
    post.lane.close()

    afterfork.watch_sigterm(lambda: _leaving(post, "SIGTERM"))
    crew = _Crew(post, post.own, app, hub, errors)
    crew.start()
    hub.spawn(_show, post.report, hub)
    post.report.send("ready", "wsgi", crew.seats, True)
    return crew.take()


def _leaving(post: Post, why: str) -> None:
    """Ask the master to be retired: it is the gateway that must stop giving us requests."""
    try:
        post.report.send("leaving", why)
    except PeerGone:
        pass  # then the lane will be at its end


def _show(report: Channel, hub: Hub) -> None:
    """A greenlet: tell the master what the others are doing when it asks, until it is gone."""
    hub.wait_read(report.fileno())
    while stacks.answer(report, stacks.of_greenlets):
        hub.wait_read(report.fileno())


class _Crew:
    """The greenlets of a worker: one that takes, one that beats, one for each request."""

    def __init__(self, post: Post, lane: socket.socket, app: Application, hub: Hub, errors: TextIO) -> None:
        self.seats = int(post.options["worker_connections"])
        self._row, self._lane = post.row, lane
        self._pause = float(post.options["beat"])
        self._app, self._hub, self._errors = app, hub, errors
        self._replies = [_Patient(outlet, hub) for outlet in post.replies]
        afterfork.seal_copies(self._replies)
        self._free = hub.semaphore(self.seats)
        self._worker = os.getpid()
        # As in gthread: what would end a sync worker must not end the others' requests,
        # and gevent.Timeout is a BaseException.
        answer = post.hooks.around(post.worker, responder(post.options, BaseException))
        tired = functools.partial(_leaving, post, "max_requests")
        self._respond = departure.limited(answer, post.options, tired)
        self._watch: deadline.Watch | None = None
        if limits := deadline.Limits(post.options):
            current, late = sys.modules["greenlet"].getcurrent, functools.partial(_leaving, post, "request_timeout")
            self._watch = deadline.Watch(limits, errors, current, lambda g: g.gr_frame, hub.interrupt, late)
            self._respond = self._watch.around(self._respond, self._row)
            self._pause = limits.pause(self._pause)

    def start(self) -> None:
        self._row[BEAT] = monotonic_ns()
        self._hub.spawn(self._beat)

    def take(self) -> Status:
        """Take requests until there are no more, and wait for those taken."""
        lane, buffer = self._lane, bytearray(MAX_MESSAGE)
        view, flags = memoryview(buffer), socket.MSG_DONTWAIT
        taken = 0
        while True:
            self._free.acquire()
            try:
                size = lane.recv_into(buffer, 0, flags)
            except BlockingIOError:
                self._free.release()
                self._hub.wait_read(lane.fileno())
                continue
            except ConnectionResetError:
                size = 0
            if not size:
                Outlet.retired = True
                break
            self._accept(view[:size])
            taken += 1
            if taken % _AT_ONCE == 0:
                self._hub.sleep(0)
        for _ in range(self.seats - 1):  # one is in hand; when all are, no request is
            self._free.acquire()
        return Status.DONE

    def _accept(self, data: memoryview) -> None:
        """Start a greenlet for a message. The place taken for it is given back when it ends."""
        try:
            request, environ, body = loads(data)
            outlet = self._replies[request >> LOOP_SHIFT]
            if environ is None:  # the client of this request left; its greenlet finds out when it writes
                self._free.release()
                return
            environ["wsgi.errors"] = self._errors
            environ["wsgi.file_wrapper"] = FileWrapper
        except (EOFError, ValueError, TypeError, IndexError) as error:
            raise WireError(f"not a request: {error}") from error
        self._hub.spawn(self._answer, request, environ, body, outlet)

    def _answer(self, request: int, environ: dict[str, Any], body: Any, outlet: _Patient) -> None:
        source: BinaryIO | None = None
        exchange = Exchange(request, outlet)
        try:
            source = io.BytesIO(body) if type(body) is bytes else opened(body, outlet, request, environ)
            if source is None:
                return  # nobody waits for it any more
            environ["wsgi.input"] = source
            self._respond(self._app, environ, exchange, self._errors, request)
        except PeerGone:
            pass  # the gateway died; what is read next from the lane says what follows
        except (WireError, ValueError) as error:  # of opened: no room for a descriptor, most likely
            trouble.log(self._errors, f"request {request:#x} failed: {error}\n")
            exchange.fail(str(error))
        finally:
            if os.getpid() != self._worker:  # the application forked, and this is the copy
                departure.end_copy(sys.exc_info()[1])
            if source is not None and type(source) is not io.BytesIO:
                source.close()
            self._row[ANSWERED] += 1
            self._free.release()

    def _beat(self) -> None:
        while True:
            self._row[BEAT] = monotonic_ns()
            if self._watch is not None:
                self._watch.look()
                self._watch.give_up()
                deadline.publish(self._row, self._watch.oldest())
            self._hub.sleep(self._pause)


class _Patient(Outlet):
    """A reply socket on which a greenlet waits for room without holding up the others."""

    def __init__(self, outlet: Outlet, hub: Hub) -> None:
        super().__init__(fileno=outlet.detach())
        self.owner, self._hub = outlet.owner, hub
        self._room = hub.semaphore(1)  # eventlet lets one greenlet wait for a descriptor,
        self.turn = hub.semaphore(1)  # and one for each direction of it

    def send(self, data: Any, flags: int = 0, /) -> int:
        return self._patiently(super().send, data, flags | socket.MSG_DONTWAIT)

    def sendmsg(self, buffers: Any, ancillary: Any = (), flags: int = 0, address: Any = None, /) -> int:
        return self._patiently(super().sendmsg, buffers, ancillary, flags | socket.MSG_DONTWAIT)

    def answers(self, seconds: float) -> bool:
        try:
            self._hub.wait_read(self.fileno(), timeout=seconds, timeout_exc=TimeoutError())
        except TimeoutError:
            return False
        return True

    def _patiently(self, send: Callable[..., int], *message: Any) -> int:
        try:
            return send(*message)
        except BlockingIOError:
            pass
        with self._room:
            while True:
                try:
                    return send(*message)
                except BlockingIOError:
                    self._hub.wait_write(self.fileno())
