"""The tasks that run the HTTP requests of an asgi worker. Runs in the worker, after the
fork, on its loop.

A request runs in a task that nobody could tell from a new one. To make a task, to have
the loop start it and to end it costs more than all else that is done for a small
request, so a task goes on with the next request if the last one has left nothing on it,
and rests (Rest) while there is none. It has left nothing if the application returned
after a whole reply, and afterwards

- no context variable has another value than before,
- nobody but us has a reference to the task, strong or weak: caches by task, as those of
  anyio and of SQLAlchemy's scoped sessions, have one,
- nobody cancelled it, named it or waits for its end.

Otherwise it ends, and the next request has a new one. A task that rests is woken where
the request is taken off the lane, and runs there until the application waits for the
first time: the loop is not asked in between.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Generator
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Callable, cast
from weakref import getweakrefcount

from .asgi_http import Request
from .asgi_loop import Loop

if TYPE_CHECKING:
    from .asgi import Worker

MOST = 32  # tasks of a worker that rest at a time

# PyPy counts no references, so a task is used once there.
_references: Callable[[Any], int] | None = getattr(sys, "getrefcount", None)


class Rest:
    """What a task awaits between two requests: the part of asyncio's Future that a Task
    looks at, but woken at once and not by way of the loop."""

    _asyncio_future_blocking = False
    request: Request | None = None  # the next one; None: there will be none
    _cancelled = False
    _wake: Any = None  # the task's own, which takes the Rest, while it rests
    _context: Context

    def __init__(self, task: asyncio.Task[None], loop: Loop, resting: list[Rest]) -> None:
        self.task, self._loop, self._resting = task, loop, resting

    def __await__(self) -> Generator[Rest, None, Request | None]:
        self._asyncio_future_blocking = True
        yield self
        return self.request

    def give(self, request: Request) -> None:
        """Have the task go on with a request, now, until it waits for something. Only
        where no task is running, and only for one that has been taken off the list."""
        wake, self._wake = self._wake, None  # it refers to the task, and would be counted
        self.request = request
        self._context.run(wake, self)

    def dismiss(self) -> None:
        """Have the task end, soon."""
        wake, self._wake = self._wake, None
        self.request = None
        self._loop.call_soon(wake, self, context=self._context)

    # What the task calls.

    def get_loop(self) -> Loop:
        return self._loop

    def add_done_callback(self, wake: Callable[[Rest], object], *, context: Context) -> None:
        self._wake, self._context = wake, context
        self._resting.append(self)

    def cancel(self, msg: object = None) -> bool:
        """Somebody cancels all tasks there are."""
        if self in self._resting:
            self._resting.remove(self)
            self._cancelled = True
            self.dismiss()
        return True

    def result(self) -> None:
        if self._cancelled:
            raise asyncio.CancelledError


async def run(worker: Worker, first: Request) -> None:
    """Serve a request, and others while nobody can tell.

    Calls the application and sees its reply to an end, whatever it does. SystemExit
    counts as a failed request, as for WSGI. Any other BaseException ends the worker.
    """
    app, waiting, resting = worker.app, worker.waiting, worker.resting
    task = cast("asyncio.Task[None]", asyncio.current_task())
    rest = Rest(task, worker.loop, resting)
    references, name, context = _references, task.get_name(), copy_context()
    if first.task is not task:
        references = None  # an eager task (3.12) runs in its maker, whose reference goes away later
    first.task = None  # set again below; it would be counted
    strong, weak = references(task) if references else 0, getweakrefcount(task)
    request: Request | None = first
    while request is not None:
        request.task = task
        again = False
        try:
            await app(request.scope, request.receive, request.send)
            if request.finished:
                again = True
            else:
                await request.left_unfinished()
        except (Exception, SystemExit, asyncio.CancelledError) as error:  # noqa: BLE001 (the application's; becomes a 500)
            await request.failed(error)
        finally:
            request.end()
        again = (
            again
            and references is not None
            and references(task) == strong
            and getweakrefcount(task) == weak
            and _untouched(task, name, context)
            and worker.reading
            and len(resting) < MOST
        )
        request = None
        if again:
            request = waiting.popleft() if waiting else await rest


def _untouched(task: asyncio.Task[None], name: str, context: Context) -> bool:
    """Whether a request, without which there would be no reference to its task, left it
    as it was."""
    now: Any = task  # some of it is in no documented interface, and not in every version
    try:
        if now._must_cancel or now._callbacks or (hasattr(now, "cancelling") and now.cancelling()):
            return False
        return task.get_name() is name and copy_context() == context
    except Exception:  # noqa: BLE001 (of a comparison of the application's values; or a task that does not tell)
        return False
