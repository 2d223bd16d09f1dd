"""The asgi worker: many requests at a time on one event loop. Runs in the worker,
after the fork and after the application is loaded.

Requests come on the worker's own lane, each runs in a task (asgi_host.py, asgi_http.py,
asgi_websocket.py), and what the application sends goes out as it sends it
(asgi_reply.py). docs/protocol.md, "Lane" and "Reply".

Its life: lifespan startup, ready, requests; then, when the lane is at its end:
what is held is finished, tasks that requests left behind get the rest of
graceful_timeout, lifespan shutdown, the end.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from marshal import loads
from time import monotonic, monotonic_ns
from typing import TYPE_CHECKING, Any, Callable, TextIO

from . import afterfork, asgi_deadline, asgi_host, asgi_loop, asgi_scope, deadline, load, stacks, tracebacks, trouble
from .asgi_body import FileBody, StreamBody
from .asgi_fetch import Fetching
from .asgi_heads import Heads
from .asgi_http import Request
from .asgi_lifespan import Lifespan, StartupFailed
from .asgi_loop import Loop
from .asgi_reply import AsyncOutlet
from .asgi_websocket import Conversation
from .reply import ClientLeft
from .status import Status
from .wire import ANSWERED, BEAT, MAX_MESSAGE, PeerGone, WireError

if TYPE_CHECKING:
    from .worker import Post

_BATCH = 32  # requests taken off the lane before others have their turn
_FULL_ROUNDS = 8  # after which more are expected than before
_SHUTDOWN_SHARE = 0.1  # of graceful_timeout is kept for the lifespan's shutdown,
_SHUTDOWN_MOST = 5.0  # but no more than this many seconds

_LOOP_SHIFT = 56  # of a request's id: the gateway loop that it belongs to


def run(post: Post, app: Callable[..., Any], errors: TextIO) -> Status:
    """Be the asgi worker of this post until it is retired; returns its exit status.

    Says ready; load.Failure if the application cannot start.
    """
    try:
        loop = asgi_loop.new(post.options["asgi_loop"])
    except asgi_loop.NoLoop as error:
        raise load.Failure("load", str(error), Status.CANNOT_LOAD) from error
    try:
        return loop.run_until_complete(_live(post, app, loop, errors))
    except PeerGone:
        return Status.DONE
    finally:
        _close(loop)


async def _live(post: Post, app: Callable[..., Any], loop: Loop, errors: TextIO) -> Status:
    lifespan = Lifespan(app, post.options["asgi_lifespan"], errors)
    try:
        await lifespan.startup()
    except StartupFailed as failure:
        text = f"the application's startup failed: {failure}"
        raise load.Failure("boot", text, Status.BOOT_FAILED) from failure
    worker = Worker(post, app, loop, lifespan.state, errors)
    try:
        await worker.serve()
    except WireError as error:
        trouble.log(errors, f"worker {post.slot}: {error}\n")
        return Status.BAD_WIRE
    await worker.finish()
    await lifespan.shutdown(worker.time_left())
    return Status.DONE


class Worker:
    """What the requests of a worker share. Belongs to the loop's thread."""

    def __init__(
        self, post: Post, app: Callable[..., Any], loop: Loop, state: dict[str, Any] | None, errors: TextIO
    ) -> None:
        assert post.own is not None
        self.loop = loop
        self.errors = errors
        self.app = post.hooks.around_async(post.worker, app)
        self._state = state
        self._post = post
        self._lane = post.own
        self._lane.setblocking(False)
        self._row = post.row
        self._pause = float(post.options["beat"]) / 2
        self._outlets = [AsyncOutlet(loop, reply) for reply in post.replies]
        self._buffer = bytearray(MAX_MESSAGE)
        self._view = memoryview(self._buffer)
        self._held: dict[int, Request | Conversation | Fetching] = {}
        self.resting: list[asgi_host.Rest] = []  # tasks without a request
        self.heads: Heads = {}
        self.reading = True  # there may be more requests
        self.waiting: deque[Request] = deque()  # taken, and without a task yet
        self._taken = 0
        self._likely, self._full = 1, 0  # requests to expect, and rounds in which there were as many
        self._answered = 0
        self._leave_after = _leave_after(post.options)
        self._limits = deadline.Limits(post.options)
        self._limited = bool(self._limits)
        self._late = deadline.Log(self._limits, errors)
        self._look_every = self._limits.pause(1.0)
        self.id_field = str(post.options["request_id_field"]).lower().encode("ascii")
        self.explain = tracebacks.for_asgi if post.options["traceback_pages"] else None
        self.disconnect_grace = float(post.options["disconnect_grace"])
        self._retired: asyncio.Future[None] = loop.create_future()
        self._idle: asyncio.Future[None] | None = None  # set while waiting for the last request
        self._deadline = 0.0  # time.monotonic() at which the master will kill
        self._ours: set[asyncio.Task[Any]] = set()  # tasks that were there before the first request

    async def serve(self) -> None:
        """Say ready and take requests until the lane is at its end. WireError if what
        comes is not one."""
        self._ours = asyncio.all_tasks(self.loop)
        afterfork.watch_sigterm(lambda: self._ask_to_leave("SIGTERM"))
        self._beat()
        if self._limits:
            self._look()
        self.loop.add_reader(self._lane.fileno(), self._take)
        self.loop.add_reader(self._post.report.fileno(), self._show)
        self._post.report.send("ready", "asgi", self._post.options["worker_connections"], True)
        await self._retired

    async def finish(self) -> None:
        """End what is held: requests and the tasks they left behind have the time there
        is, and are cancelled after it."""
        grace = float(self._post.options["graceful_timeout"])
        self._deadline = monotonic() + grace
        for held in list(self._held.values()):
            held.wind_up()
        reserve = min(grace * _SHUTDOWN_SHARE, _SHUTDOWN_MOST)
        if self._held:
            self._idle = self.loop.create_future()
            await asyncio.wait([self._idle], timeout=self.time_left() - reserve)
        behind = self._left_behind()
        while behind and not self._held and self.time_left() > reserve:
            await asyncio.wait(behind, timeout=self.time_left() - reserve)
            behind = self._left_behind()
        for request in list(self._held.values()):
            request.retire()
        behind = self._left_behind()
        if behind:
            for task in behind:
                task.cancel()
            await asyncio.wait(behind, timeout=reserve / 2)

    def time_left(self) -> float:
        """Seconds until the master kills; at least a little."""
        return max(self._deadline - monotonic(), 0.1)

    def _left_behind(self) -> set[asyncio.Task[Any]]:
        """Tasks that requests, or their frameworks, have started and that go on."""
        return asyncio.all_tasks(self.loop) - self._ours

    def done(self, number: int) -> None:
        """A request's application has returned."""
        self._answered += 1
        self._row[ANSWERED] = self._answered
        del self._held[number]
        if self._idle is not None:
            self._end_wait()

    def _end_wait(self) -> None:
        """End the wait for the last request, if there is one and that was it."""
        if self._idle is not None and not self._held and not self._idle.done():
            self._idle.set_result(None)

    # The lane.

    def _take(self) -> None:
        """Take what is on the lane, and serve it. Called by the loop, which logs what is
        raised here and goes on, so nothing may be.

        First all is taken and then all is served, because a processor does the same thing
        many times faster than different things in turn.
        """
        self._receive()
        waiting, resting = self.waiting, self.resting
        while waiting:
            request = waiting.popleft()
            if resting:
                resting.pop().give(request)  # which goes on with others that wait
            else:
                request.task = self.loop.create_task(asgi_host.run(self, request))

    def _receive(self) -> None:
        """Take requests off the lane.

        This is a part of the cost of every request, so the usual one is made here, without
        a call that is not needed. To find the lane empty costs as much as to find it full,
        and if something is left on it the loop calls again; so no more is asked of it than
        it had the last time, until that was too little for some rounds.
        """
        receive, buffer, view = self._lane.recv_into, self._buffer, self._view
        held, outlets, state, waiting = self._held, self._outlets, self._state, self.waiting
        try:
            for taken in range(self._likely):
                try:
                    size = receive(buffer)
                except BlockingIOError:
                    self._likely, self._full = taken or 1, 0
                    return
                except ConnectionResetError:
                    continue  # comes once, ahead of what a dead gateway had sent
                if not size:
                    self._stop_reading(None)
                    return
                try:
                    number, scope, body = loads(view[:size])
                    if scope is None:
                        self._client_left(number)
                        continue
                    outlet = outlets[number >> _LOOP_SHIFT]
                    if type(scope) is tuple:
                        scope = asgi_scope.http(scope)
                    if state is not None:
                        scope["state"] = state.copy()
                    if type(body) is not bytes:
                        self._fetch(number, outlet, body, scope)
                        continue
                    request = Request(self, number, outlet, body, scope)
                except (EOFError, ValueError, TypeError, IndexError) as error:
                    raise WireError(f"not a request: {error}") from error
                held[number] = request
                waiting.append(request)
                if self._limited:
                    self._limit(request)
                self._taken += 1
                if self._taken == self._leave_after:
                    self._ask_to_leave("max_requests")
            self._full += 1
            if self._full == _FULL_ROUNDS:
                self._likely, self._full = min(2 * self._likely, _BATCH), 0
        except WireError as error:
            self._stop_reading(error)

    def _limit(self, request: Request) -> None:
        request.begun = monotonic()
        asgi_deadline.show(self._row, request.number)

    # Requests that have a descriptor.

    def _fetch(self, number: int, outlet: AsyncOutlet, body: Any, scope: dict[str, Any]) -> None:
        """Serve a request once its descriptor is here. ValueError if there is no such body."""
        if body not in (None, "websocket") and type(body) is not int:
            raise ValueError(f"a body {body!r:.20}")
        fetching = self._held[number] = Fetching()
        fetching.task = self.loop.create_task(self._fetched(fetching, number, outlet, body, scope))

    async def _fetched(
        self, fetching: Fetching, number: int, outlet: AsyncOutlet, body: Any, scope: dict[str, Any]
    ) -> None:
        fd = None
        try:
            fd = await outlet.fetch(number)
        except ClientLeft:
            pass  # with the gateway
        except WireError as error:
            self._stop_reading(error)
        finally:
            if fd is None:
                del self._held[number]
                self._end_wait()
        if fd is None:
            return
        request: Request | Conversation
        if body == "websocket":
            request = Conversation(self, number, outlet, fd)
            work = request.serve(self.app, scope)
        else:
            source = FileBody(self.loop, fd) if body is None else StreamBody(self.loop, fd, body)
            request = Request(self, number, outlet, source, scope)
            work = asgi_host.run(self, request)
            if self._limited:
                self._limit(request)
        self._held[number] = request
        request.task = self.loop.create_task(work)
        fetching.pass_on(request)

    def _client_left(self, number: int) -> None:
        request = self._held.get(number)
        if request is not None:  # else its reply and this news have crossed
            request.leave()

    def _show(self) -> None:
        """The master asks what the tasks are doing, or is gone."""
        known = {request.task: f" of request {number:#x}" for number, request in self._held.items()}
        tasks = asyncio.all_tasks(self.loop) - {rest.task for rest in self.resting}
        if not stacks.answer(self._post.report, lambda: stacks.of_tasks(tasks, known)):
            self.loop.remove_reader(self._post.report.fileno())

    # Leaving.

    def _ask_to_leave(self, why: str) -> None:
        try:
            self._post.report.send("leaving", why)
        except PeerGone:
            pass  # the lane will be at its end

    def _stop_reading(self, error: WireError | None) -> None:
        self.loop.remove_reader(self._lane.fileno())
        if not self.reading:
            return  # the lane was at its end already
        self.reading = False
        while self.resting:
            self.resting.pop().dismiss()
        if error is not None:
            self._retired.set_exception(error)
        else:
            self._retired.set_result(None)

    def _look(self) -> None:
        """See to requests that have passed a limit, again and again."""
        if asgi_deadline.look(self._limits, self._late, self._held.values(), self._row):
            self._ask_to_leave("request_timeout")
        self.loop.call_later(self._look_every, self._look)

    def _beat(self) -> None:
        self._row[BEAT] = monotonic_ns()
        self.loop.call_later(self._pause, self._beat)


def _leave_after(options: dict[str, Any]) -> int:
    """After how many requests this worker wants to be replaced; 0 for never."""
    most = int(options["max_requests"])
    return most + random.randint(0, int(options["max_requests_jitter"])) if most > 0 else 0


def _close(loop: Loop) -> None:
    """Leave nothing of the application running: tasks, asynchronous generators."""
    try:
        if not loop.is_closed():
            loop.run_until_complete(asgi_loop.end(loop, _SHUTDOWN_MOST))
            loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
