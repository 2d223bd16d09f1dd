"""The gthread worker: a seat in each of its threads. Runs in the worker, after the fork.

    main thread   writes its life to the scoreboard, hears signals, waits for the seats
    each seat     waits on the shared lane with all other seats of all
                  workers of the generation, so that any idle one takes the next request

Nothing is shared between seats but the application: each has its own buffer and row,
and one datagram is one reply, so that replies of two threads cannot mix.
"""

from __future__ import annotations

import functools
import os
import select
import signal
import socket
import sys
from time import monotonic_ns
from typing import TYPE_CHECKING, Callable, TextIO

from . import afterfork, deadline, departure, load, trouble
from .app import Application, responder
from .status import Status
from .sync import Seat, serve
from .wire import BEAT, LIFE, PeerGone, WireError

if TYPE_CHECKING:
    from .worker import Post


def run(post: Post, app: Application, errors: TextIO) -> Status:
    """Be a gthread worker until it is retired and every seat has answered what it held."""
    retire = afterfork.watch_retirement(post.lane.fileno(), post.report, post.row)
    # In a sync worker KeyboardInterrupt and its like end the process. Here that would
    # take the requests of other seats with it, so it fails one request and no more.
    ask = functools.partial(departure.ask, post.report)
    answer = post.hooks.around(post.worker, responder(post.options, BaseException))
    answer = departure.limited(answer, post.options, functools.partial(ask, "max_requests"))
    watch = None
    if limits := deadline.Limits(post.options):
        watch = deadline.in_threads(limits, errors, functools.partial(ask, "request_timeout"))
        answer = watch.around(answer)
    crew = _Crew(post, retire, watch, limits.pause(float(post.options["beat"])))
    try:
        crew.start(lambda seat: _outcome(seat, app, errors, answer))
        post.report.send("ready", "wsgi", crew.size, False)
        crew.open = True
        return crew.watch()
    finally:
        crew.release()


class _Crew:
    """The threads of a worker. They wait for each other before the first request is taken,
    and after the last one: a thread that has ended must not be signalled.

    They are no daemons, because a thread that the application starts inherits that, and
    would be cut off in the middle when the worker leaves.
    """

    def __init__(self, post: Post, retire: afterfork.Retirement, watch: deadline.Watch | None, pause: float) -> None:
        import threading  # only here: gevent and eventlet want to be ahead of it

        self.open = False  # whether they are to serve once they are let go
        self.size = len(post.rows)
        self._post, self._retire = post, retire
        self._look = watch.look if watch is not None else None
        self._pause = int(1000 * pause)  # between two signs of life
        self._outcomes: list[Status] = []
        self._bell, self._rope = socket.socketpair()
        self._thread = threading.Thread
        self._gate, self._rest = threading.Event(), threading.Event()

    def start(self, serve: Callable[[Seat], Status]) -> None:
        """Start them all. Failure if the limits are too low for that."""
        for number, row in enumerate(self._post.rows):
            seat = Seat(self._post.lane, self._post.replies, row)
            thread = self._thread(target=self._sit, args=(serve, seat), name=f"indrik-seat-{number}")
            try:
                thread.start()
            except RuntimeError as error:
                text = f"thread {number + 1} of {self.size} cannot be started: {error} (limits on tasks or memory)"
                raise load.Failure("boot", text, Status.BOOT_FAILED) from error
            self._retire.waiting.append((thread.ident or 0, row))
            row[BEAT] = monotonic_ns()

    def watch(self) -> Status:
        """Let them serve until all have ended; when one has, so shall the others.

        A signal that comes just before the main thread begins to wait would be acted on only
        after it has: so signals ring the same bell as the threads do, and the wait ends.
        """
        self._rope.setblocking(False)
        self._bell.setblocking(False)
        signal.set_wakeup_fd(self._rope.fileno(), warn_on_full_buffer=False)
        bell = select.poll()
        bell.register(self._bell, select.POLLIN)
        self._gate.set()
        while len(self._outcomes) < self.size:
            self._post.row[LIFE] = monotonic_ns()
            if self._look is not None:
                self._look()
            if bell.poll(self._pause):
                self._bell.recv(4096)
            if self._outcomes:
                self._retire()
        return max(self._outcomes)

    def release(self) -> None:
        """Let all threads end, whatever became of the main one."""
        signal.set_wakeup_fd(-1)
        self._retire()
        self._gate.set()
        self._rest.set()

    def _sit(self, serve: Callable[[Seat], Status], seat: Seat) -> None:
        outcome = Status.CRASHED  # if what happens is none of what can: threading tells of it
        try:
            self._gate.wait()
            if self.open:
                outcome = serve(seat)
        finally:
            self._outcomes.append(outcome)
            try:
                self._rope.send(b".")
            except BlockingIOError:
                pass  # it rings already
            self._rest.wait()


def _outcome(seat: Seat, app: Application, errors: TextIO, answer: Callable[..., None]) -> Status:
    """Serve at a seat to its end; the status that this would give a worker of its own."""
    worker = os.getpid()
    try:
        return serve(seat, app, errors, answer)
    except PeerGone:
        return Status.DONE
    except WireError as error:
        trouble.log(errors, f"{error}\n")
        return Status.BAD_WIRE
    finally:
        if os.getpid() != worker:  # the application forked, and this is the copy
            departure.end_copy(sys.exc_info()[1])
