"""What a process must reset when it is new. Each step says why, and whether it
runs in the mold before or in the worker after the fork.

Not here because others do it: the random module reseeds itself after a fork, and
OpenSSL, from 1.1.1 on, its generator; logging makes its locks anew, and the interpreter
every lock of its own. Connections to databases and the like are the application's: what
it opened before the fork is shared by all workers, with Gunicorn's preload too.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys
import weakref
from _thread import get_ident
from collections.abc import Iterable
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, Callable, Optional

from . import reply, wire

if TYPE_CHECKING:
    from .hooks import Hooks, Worker

# Signals for which a worker has handlers by which its children must not be deaf. They keep
# those for SIGINT and SIGUSR1, which do nothing that could be wrong in them.
_OURS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGABRT)
_PACKAGE = __name__.partition(".")[0] + "."

_Handler = Callable[[int, Optional[FrameType]], None]
_socketpair = socket.socketpair  # CPython's own, whatever is patched later


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


def outlive_sigterm() -> None:
    """Mold, before the fork: leave SIGTERM pending. timeout(1) and some supervisors send it to
    the whole group, and the mold is still to call hooks and to fork replacements when
    the master drains; it leaves when the master's channel is at its end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))


def hear_sigterm() -> None:
    """Worker, first of all: one that was sent since the fork is heard now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))


def hear_no_more() -> None:
    """Both, last of all: an interpreter that ends gives signals their default meaning back,
    and a late order to leave or to reopen files would kill a process whose work is done."""
    for signum in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(signum, signal.SIG_IGN)


class Retirement:
    """The end of taking requests from the shared lane: by SIGTERM, or by a call.

    Both put a socket at end of file where the lane was, under the same descriptor
    number. Wherever the signal finds a sync worker, this is enough:

      - waiting in recv: the call is interrupted, Python runs the handler and then
        repeats the call (PEP 475), now on the socket at its end: it returns nothing,
        and nothing means leave;
      - in recv with a message already taken: the call returns it, the handler
        runs, the request is answered, and the next recv returns nothing;
      - in a request: it is finished, and the next recv returns nothing.

    So no request is ever taken off the lane and lost, and none is taken after. A
    signal that lands between Python's last look and the system call is acted on when
    that call returns: with a message, or within a second by the lane's SO_RCVTIMEO.

    Python runs handlers in the main thread only, and a thread that waits in recv
    waits on the open file, whatever its number comes to mean. So the threads in
    waiting that hold no request are signalled too, with SIGINT, whose handler does
    nothing: it interrupts the call, and the repeated one finds the socket at its end.
    A thread that takes a request in this very moment answers it, as above.

    The socket at its end is our own report socket, on which nothing is ever received:
    shutting its reading side down leaves the master's end as it was, and no extra
    descriptor is held for the day of retirement.
    """

    def __init__(self, lane: int, report: wire.Channel) -> None:
        self._lane, self._ended = lane, report.shut_reading()
        self._called = False
        self.waiting: list[tuple[int, memoryview]] = []  # other threads, by ident, with their rows

    def __call__(self) -> None:
        if self._called:
            return
        self._called = True
        reply.Outlet.retired = True
        os.dup2(self._ended, self._lane, inheritable=False)
        for thread, row in self.waiting:
            if not row[wire.REQUEST]:
                signal.pthread_kill(thread, signal.SIGINT)


def watch_retirement(lane: int, report: wire.Channel, row: memoryview) -> Retirement:
    """Worker on the shared lane, after its application is loaded: SIGTERM means leave
    after what you hold. row is that of its first seat, where it says that it will.

    Until here SIGTERM ends the process at once, which is right: it holds nothing.
    That this comes after the application also means that its own handlers, if it
    set any while it was imported, do not make the worker deaf.
    """
    retire = Retirement(lane, report)

    def leave() -> None:
        row[wire.LEAVING] = 1  # whoever sent the signal: it is no failure
        retire()

    watch_sigterm(leave)
    return retire


def watch_sigterm(heard: Callable[[], None]) -> None:
    """Worker, after its application is loaded: SIGTERM calls heard, in the main thread.
    The other signals get the handlers that we count on."""
    worker = os.getpid()

    def leave(signum: int, frame: FrameType | None) -> None:
        if os.getpid() == worker:
            heard()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, _nothing)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # Python's own setting; a lost peer is an error, not death


def free_copies() -> None:
    """Worker, before it is ready: a process that the application forks off has none of our
    handlers, and ends by SIGTERM as any other (multiprocessing's terminate() relies on it).

    The signals are held back during the fork, because the interpreter throws away what a
    new process has heard before it could reset its handlers: a SIGTERM in that moment
    would be lost, and its sender would wait for ever. Handlers that the application has
    set in our places are not touched.
    """
    masks: dict[int, Iterable[int]] = {}  # by thread: several may fork at a time

    def hold() -> None:
        masks[get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)

    def let_go() -> None:
        mask = masks.pop(get_ident(), None)
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def reset() -> None:
        for signum in _OURS:
            handler = signal.getsignal(signum)
            if getattr(handler, "__module__", "").startswith(_PACKAGE):
                signal.signal(signum, signal.SIG_DFL)
        let_go()

    os.register_at_fork(before=hold, after_in_parent=let_go, after_in_child=reset)


def watch_hooks(hooks: Hooks, worker: Worker) -> None:
    """Worker, after its application is loaded: SIGQUIT calls worker_int and ends it at once,
    SIGABRT calls worker_abort and ends it as failed. Without these hooks both keep their
    meaning, death at once, with a traceback for SIGABRT."""
    pid = os.getpid()

    def end(name: str, status: int) -> _Handler:
        def handler(signum: int, frame: FrameType | None) -> None:
            if os.getpid() == pid:
                if signum == signal.SIGABRT and sys.stderr is not None:
                    faulthandler.dump_traceback()  # this handler has taken the place of the one that does
                worker.alive, worker.aborted = False, signum == signal.SIGABRT
                hooks.call_and_log(name, worker)
                hooks.call_and_log("worker_exit", hooks.server, worker)
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            os._exit(status)

        return handler

    if "worker_int" in hooks:
        signal.signal(signal.SIGQUIT, end("worker_int", 0))
    if "worker_abort" in hooks:
        signal.signal(signal.SIGABRT, end("worker_abort", 1))


def seal_copies(ours: Iterable[socket.socket | wire.Channel | None]) -> None:
    """Worker, before its application is loaded: a process that the application forks off
    finds sockets at their end where ours were.

    It can take no request then and answer none, not even if it comes back into our code
    (which ends it, see departure.py), and the master and the gateway see the worker's end
    when the worker ends, whatever it leaves behind. That a socket was closed meanwhile, and
    its number is now the application's, is seen when the time comes.
    """
    # Weakly, because the interpreter drops its hooks when it is all but gone, and what then
    # goes with them cannot be finalized (CPython 3.9 crashes).
    held = [weakref.ref(each) for each in ours if each is not None]

    def seal() -> None:
        numbers = [each.fileno() for each in (ref() for ref in held) if each is not None]
        ended, other = _socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        other.close()
        for number in numbers:
            if number >= 0:
                os.dup2(ended.fileno(), number, inheritable=False)
        ended.close()

    os.register_at_fork(after_in_child=seal)


def reset() -> None:
    """Worker, first of all, if the mold has loaded the application (preload_app): what the
    application may have set up there and must not share.

      - The event loop of the main thread: its epoll instance and its wake-up pipe are one
        for all forks. CPython does this itself from 3.12 on.
      - The wake-up descriptor of signals, which would be the same pipe.
      - Handlers of signals: a worker starts with the mold's, and sets its own when it is ready.
      - Threads are not there after a fork, and what waits for them waits for ever: nothing
        can be done about that but to say so, which the mold does (mold.py).
    """
    signal.set_wakeup_fd(-1)
    adopt_signals()
    events = sys.modules.get("asyncio.events")
    policy: Any = getattr(events, "_event_loop_policy", None)
    if sys.version_info < (3, 12) and hasattr(policy, "_local"):
        policy._local = type(policy._local)()


def enrol(row: memoryview, generation: int) -> None:
    """Worker, first of all: from here on the scoreboard knows who sits in the seat."""
    row[wire.REQUEST] = 0
    row[wire.PID] = os.getpid()
    row[wire.GENERATION] = generation


def schedule_as_batch() -> None:
    """Worker, before its first request: a thread that is woken takes the processor from
    nobody (SCHED_BATCH, sched(7)), least of all from the gateway that is about to send it
    more. Another policy than the usual one is somebody's decision, and stays."""
    if hasattr(os, "SCHED_BATCH") and os.sched_getscheduler(0) == os.SCHED_OTHER:
        try:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        except OSError:
            pass  # a sandbox forbids the call: all goes on as usual


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
