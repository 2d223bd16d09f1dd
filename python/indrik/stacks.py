"""What a worker is doing, for whoever asks while it does it. Runs in the worker, after
the fork.

Two ways, because each sees what the other cannot:

  - SIGNAL makes the interpreter's fault handler, which is C code and takes no lock, write
    the stack of every thread into a memory file that the master holds. It works on a
    worker that hangs, also inside a C library that does not give the interpreter lock back.
  - The order ("stacks", n) on the report socket makes a worker with an event loop or a hub
    write down its tasks or greenlets, of which the threads' stacks show the running one
    only. It is answered when the loop turns.

Nothing of the application is interrupted: system calls go on after the signal
(SA_RESTART), and no Python code runs because of it.
"""

from __future__ import annotations

import faulthandler
import fcntl
import gc
import os
import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable

from . import trouble
from .wire import Channel, PeerGone, WireError

if TYPE_CHECKING:
    import asyncio

# A real-time signal that nobody uses: the C library takes 32 and 33, tools that use some
# count from the lowest, and 64 is the highest.
SIGNAL = 60

_ROOM = 50_000  # characters of an answer
_DEEP = 100  # frames of one stack, as the fault handler has it


def offer(report: Channel) -> None:
    """Worker, first of all: give the master the file into which SIGNAL writes.

    It is opened for appending, so that it begins anew after the master has made it empty;
    and it is memory, so that a master that reads nothing holds nobody up.
    """
    if not hasattr(os, "memfd_create") or not hasattr(faulthandler, "register"):
        return
    fd = os.memfd_create("indrik-stacks")  # close-on-exec
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND | fcntl.fcntl(fd, fcntl.F_GETFL))
    faulthandler.register(SIGNAL, fd, all_threads=True, chain=False)
    try:
        report.send_with(fd, "stacks", SIGNAL)
    except PeerGone:
        pass  # what follows finds out too


def answer(report: Channel, describe: Callable[[], str]) -> bool:
    """Take the order that has come on the report socket and answer it with what describe
    says. False at end of file: nothing will come any more."""
    try:
        order = report.receive()
    except WireError:
        return False
    if order is None:
        return False
    message, _ = order
    if message[0] == "stacks" and len(message) == 2:
        try:
            report.send("tasks", message[1], trouble.limited(describe()))
        except PeerGone:
            return False
    return True


def of_tasks(tasks: Iterable[asyncio.Task[Any]], known: dict[Any, str]) -> str:
    """The stacks of tasks that wait. known says of some what they are for."""
    current = sys.modules["asyncio"].current_task()
    return _join(
        (f"Task {task.get_name()!r}{known.get(task, '')}", _awaited(task.get_coro()))
        for task in tasks
        if task is not current
    )


def of_greenlets() -> str:
    """The stacks of greenlets that wait. Looks at every object that the collector knows,
    as gevent's own printer does: some 50 ms for a million of them."""
    greenlet: Any = sys.modules["greenlet"]
    current = greenlet.getcurrent()
    waiting = [g for g in gc.get_objects() if isinstance(g, greenlet.greenlet) and g is not current and g.gr_frame]
    return _join((f"Greenlet 0x{id(g):x}", _called(g.gr_frame)) for g in waiting)


def _join(stacks: Iterable[tuple[str, Iterator[FrameType]]]) -> str:
    """One text of all, each as the fault handler writes it."""
    parts: list[str] = []
    room, left_out = _ROOM, 0
    for title, frames in stacks:
        lines = [f"  File {f.f_code.co_filename!r}, line {f.f_lineno} in {f.f_code.co_name}\n" for f in frames]
        part = f"{title} (most recent call first):\n" + "".join(lines[:_DEEP]) + "\n"
        if len(part) > room:
            left_out += 1
            continue
        room -= len(part)
        parts.append(part)
    if left_out:
        parts.append(f"and {left_out} more\n")
    return "".join(parts)


def _called(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _awaited(coroutine: Any) -> Iterator[FrameType]:
    """The frames of a coroutine and of those that it waits for, the innermost first."""
    frames: list[FrameType] = []
    while coroutine is not None and len(frames) < _DEEP:
        for frame, awaits in (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await")):
            if hasattr(coroutine, frame):
                if getattr(coroutine, frame) is not None:
                    frames.append(getattr(coroutine, frame))
                coroutine = getattr(coroutine, awaits)
                break
        else:
            coroutine = None
    return reversed(frames)
