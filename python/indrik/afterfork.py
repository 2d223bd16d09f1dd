"""What a process must reset when it is new. Each step says why, and whether it
runs in the mold before or in the worker after the fork.

Not here because CPython does it: the random module reseeds itself after a fork,
and every lock of the interpreter is made anew.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from types import FrameType, ModuleType
from typing import Callable, Optional

from . import wire

_Handler = Callable[[int, Optional[FrameType]], None]


def adopt_signals() -> None:
    """Mold, first of all, before the fork.

    SIGINT is not for us: a terminal sends it to the whole group, and the master
    decides what it means. It gets a handler that does nothing instead of being
    ignored, because programs that the application starts would inherit the latter.
    SIGCHLD ignored by whoever started us would take the middle process's exit
    status away, and a blocked SIGTERM would make workers deaf.
    """
    signal.signal(signal.SIGINT, _nothing)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def watch_retirement(lane: int, report: wire.Channel) -> None:
    """Worker, after its application is loaded: SIGTERM means leave after what you hold.

    Until here SIGTERM ends the process at once, which is right: it holds nothing.
    That this comes after the application also means that its own handlers, if it
    set any while it was imported, do not make the worker deaf.

    The handler puts a socket at end of file where the lane was, under the same
    descriptor number. Wherever the signal finds the worker, this is enough:

      - waiting in recvmsg: the call is interrupted, Python runs the handler and then
        repeats the call (PEP 475), now on the socket at its end: it returns nothing,
        and nothing means leave;
      - in recvmsg with a message already taken: the call returns it, the handler
        runs, the request is answered, and the next recvmsg returns nothing;
      - in a request: it is finished, and the next recvmsg returns nothing.

    So no request is ever taken off the lane and lost, and none is taken after. A
    signal that lands between Python's last look and the system call is acted on when
    that call returns: with a message, or within a second by the lane's SO_RCVTIMEO.

    The socket at its end is our own report socket, on which nothing is ever received:
    shutting its reading side down leaves the master's end as it was, and no extra
    descriptor is held for the day of retirement.
    """
    ended = report.shut_reading()
    worker = os.getpid()

    def leave(signum: int, frame: FrameType | None) -> None:
        if os.getpid() == worker:
            os.dup2(ended, lane, inheritable=False)
            return
        # A process that the application forked off inherits this handler, but must
        # end by SIGTERM as any other (multiprocessing's terminate() relies on it).
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, _nothing)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # Python's own setting; a lost peer is an error, not death


def enrol(row: memoryview, generation: int) -> None:
    """Worker, first of all: from here on the scoreboard knows who sits in the seat."""
    row[wire.REQUEST] = 0
    row[wire.PID] = os.getpid()
    row[wire.GENERATION] = generation


def watch_faults() -> None:
    """Mold, before the fork: a fatal signal leaves a Python traceback on standard error."""
    if sys.stderr is not None and not faulthandler.is_enabled():
        faulthandler.enable()


def set_title(setproctitle: ModuleType | None, title: str, short: str) -> None:
    """Both: the name in ps. With setproctitle if the user has it, else the kernel's
    15 characters (proc(5), /proc/pid/comm)."""
    if setproctitle is not None:
        setproctitle.setproctitle(title)
        return
    try:
        with open("/proc/self/comm", "w") as comm:
            comm.write(short[:15])
    except OSError:
        pass  # no /proc, or not writable: a name is not worth a failure


def _nothing(signum: int, frame: FrameType | None) -> None:
    pass
