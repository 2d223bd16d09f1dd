"""The gthread worker: a seat in each of its threads. Runs in the worker, after the fork.

    main thread   writes its life to the scoreboard, hears signals, waits for the seats
    each seat     blocks in recvmsg on the shared lane with all other seats of all
                  workers of the generation, so that any idle one takes the next request

Nothing is shared between seats but the application: each has its own buffer and row,
and one datagram is one reply, so that replies of two threads cannot mix.
"""

from __future__ import annotations

import functools
import os
import sys
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Callable, TextIO

from . import afterfork, departure, load, trouble
from .app import Application, respond
from .status import Status
from .sync import Seat, serve
from .wire import BEAT, LIFE, PeerGone, WireError

if TYPE_CHECKING:
    from .worker import Post

_LIFE = 1.0  # seconds between two signs of life of the main thread


def run(post: Post, app: Application, errors: TextIO) -> Status:
    """Be a gthread worker until it is retired and every seat has answered what it held."""
    import queue  # these two only here: gevent and eventlet want to be ahead of them
    import threading

    retire = afterfork.watch_retirement(post.lane.fileno(), post.report)
    # In a sync worker KeyboardInterrupt and its like end the process. Here that would
    # take the requests of other seats with it, so it fails one request and no more.
    tired = departure.announced(post.row, retire)
    answer = departure.limited(
        post.hooks.around(post.worker, functools.partial(respond, caught=BaseException)), post.options, tired)
    outcomes: Any = queue.SimpleQueue()
    gate, rest = threading.Event(), threading.Event()
    seats = [Seat(post.lane, post.replies, row) for row in post.rows]

    def sit(seat: Seat) -> None:
        outcome = Status.CRASHED
        try:
            gate.wait()
            outcome = _outcome(seat, app, errors, answer)
        finally:
            outcomes.put(outcome)
        rest.wait()  # for ever: a thread that has ended must not be signalled

    for number, seat in enumerate(seats):
        thread = threading.Thread(target=sit, args=(seat,), name=f"indrik-seat-{number}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            text = f"thread {number + 1} of {len(seats)} cannot be started: {error}; see the limits on tasks and memory"
            raise load.Failure("boot", text, Status.BOOT_FAILED) from error
        retire.waiting.append((thread.ident or 0, seat.row))
        seat.row[BEAT] = monotonic_ns()
    post.report.send("ready", "wsgi", len(seats), False)
    gate.set()
    status, left = Status.DONE, len(seats)
    while left:
        post.row[LIFE] = monotonic_ns()
        try:
            outcome = outcomes.get(timeout=_LIFE)
        except queue.Empty:
            continue
        left -= 1
        retire()  # when one seat has ended, so shall the others
        status = status or outcome
    return status


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
