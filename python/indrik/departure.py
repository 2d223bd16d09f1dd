"""How a worker comes to its end: after so many requests, with threads of the
application still running, or as a copy of itself. Runs in the worker.
"""

from __future__ import annotations

import itertools
import os
import sys
import traceback
from _thread import allocate_lock, start_new_thread
from time import sleep
from typing import Any, Callable

from . import trouble, wire

# The functions of _thread and sleep are CPython's own also after gevent or eventlet has
# replaced those in their modules: what waits for a stuck process must not be part of it.


def limited(respond: Callable[..., None], options: dict[str, Any], tired: Callable[[], None]) -> Callable[..., None]:
    """respond, which calls tired once, when it is called for as many times as max_requests
    and max_requests_jitter say.

    It goes on to respond after that: the worker is of use until its successor is.
    The jitter is not of the random module, which an application may have seeded alike in all workers.
    """
    if not options["max_requests"]:
        return respond
    last = options["max_requests"] + _random(options["max_requests_jitter"])
    taken = itertools.count(1)

    def counted(*request: Any) -> None:
        if next(taken) == last:
            tired()
        respond(*request)

    return counted


def _random(most: int) -> int:
    """A number from 0 to most, without the import of random."""
    return int.from_bytes(os.urandom(8), "little") % (most + 1)


def ask(report: wire.Channel, why: str) -> None:
    """Ask the master to be retired, or replaced."""
    try:
        report.send("leaving", why)
    except wire.PeerGone:
        pass  # then the lane will be at its end


def bound(slot: int, seconds: float) -> None:
    """From now on the process ends within so many seconds, with status 0 if it has to be forced.

    What can keep an interpreter from ending is the application's: a thread that is not
    a daemon, a child of multiprocessing that is waited for, a function given to atexit.
    """

    started = allocate_lock()

    def force() -> None:
        started.release()
        sleep(seconds)
        trouble.log(sys.stderr, f"worker {slot}: left without waiting any longer for {_remaining()}\n")
        _flush()
        os._exit(0)

    started.acquire()
    try:
        start_new_thread(force, ())
    except RuntimeError:
        return  # no more threads: then the master ends it, by its own deadline
    # An interpreter that begins to end while a thread begins to run crashes (CPython 3.11).
    started.acquire(timeout=seconds)


def end_copy(error: BaseException | None) -> None:
    """End a process that the application forked off: as Python would, but without the
    handlers of atexit, which are the worker's."""
    code = 0
    if isinstance(error, SystemExit):
        if isinstance(error.code, int):
            code = error.code & 0xFF
        elif error.code is not None:
            trouble.log(sys.stderr, f"{error.code}\n")
            code = 1
    elif error is not None:
        traceback.print_exception(type(error), error, error.__traceback__)
        code = 1
    _flush()
    os._exit(code)


def _remaining() -> str:
    threading = sys.modules.get("threading")
    others = [] if threading is None else [t for t in threading.enumerate() if t is not threading.main_thread()]
    names = [thread.name for thread in others if not thread.daemon]
    return f"the threads {', '.join(map(repr, names))}" if names else "its exit handlers"


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            pass  # closed: there is nobody to read it
