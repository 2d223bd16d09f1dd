"""From the fork to the exit status: load the application, choose the class that
suits it, run it, and see that the process ends. Runs in the worker, after the fork.
"""

from __future__ import annotations

import functools
import os
import socket
import sys
from time import monotonic_ns
from typing import Any, NamedTuple, TextIO, cast

from . import (
    afterfork,
    deadline,
    departure,
    greenlets,
    gthread,
    late,
    load,
    logs,
    paste,
    privileges,
    stacks,
    sync,
    trouble,
)
from .app import Application, responder
from .hooks import HookError, Hooks, Worker
from .reply import Outlet
from .status import Status
from .wire import BEAT, Channel, PeerGone, WireError


class Post(NamedTuple):
    """What a worker is given: its place, its sockets and its application's name.

    Owns the sockets. rows are its seats' rows of the scoreboard. own is the lane of its
    own, which the master made because the worker may turn out to need one; a worker that
    takes requests from the shared lane closes it, and the other way round. options are the
    settings of docs/protocol.md, "Keys of configure", with times in seconds. preloaded is
    the application if the mold has loaded it, and hub what it has patched for it.
    """

    app: str
    slot: int
    generation: int
    lane: socket.socket
    report: Channel
    replies: tuple[Outlet, ...]
    rows: tuple[memoryview, ...]
    own: socket.socket | None
    options: dict[str, Any]
    identity: privileges.Identity
    hooks: Hooks
    worker: Worker  # what hooks are called with
    preloaded: Application | None = None
    hub: greenlets.Hub | None = None

    @property
    def row(self) -> memoryview:
        """The row of the first seat."""
        return self.rows[0]


def run(post: Post) -> Status:
    """Be the worker of this post until it is retired; returns its exit status.

    A process that the application forked off and that comes back here instead of
    ending itself is ended: its parent is the worker, and there can be only one.
    """
    worker = os.getpid()
    stacks.offer(post.report)
    afterfork.seal_copies((post.lane, post.own, *post.replies, post.report))
    afterfork.free_copies()
    try:
        try:
            status = _boot(post)
        finally:
            if os.getpid() == worker:
                post.hooks.call_and_log("worker_exit", post.hooks.server, post.worker)
        departure.bound(post.slot, 0.9 * float(post.options["graceful_timeout"]))
        return status
    finally:
        if os.getpid() != worker:
            departure.end_copy(sys.exc_info()[1])


def _boot(post: Post) -> Status:
    """Load the application and serve it; what goes wrong before it serves is reported."""
    errors = cast("TextIO", logs.Errors(post.hooks.server.log))
    watch = late.module("reload").Watch(post.options["reload_extra_files"]) if post.options["reload"] else None
    try:
        _call(post, "post_fork", post.hooks.server, post.worker)
        privileges.assume(post.identity)
        if post.options["spew"]:
            late.module("spew").begin()
        hub = post.hub or greenlets.hub(post.options["worker_class"])
        try:
            app = post.preloaded or paste.attempt(post.app, post.options)
            kind = choose(post.app, app, post.options)
        except load.Failure as failure:
            if watch is None:
                raise
            trouble.log(errors, f"worker {post.slot}: {failure.text}\n")
            app, kind = late.module("reload").broken(failure.text, post.options)
    except load.Failure as failure:
        return _give_up(post, failure)
    if watch is not None:
        watch.start(lambda paths: post.report.send("changed", paths))
    try:
        post.worker.wsgi = app
        _call(post, "post_worker_init", post.worker)
        post.worker.booted = True
        afterfork.watch_hooks(post.hooks, post.worker)
        return _serve(post, kind, app, hub, errors)
    except load.Failure as failure:
        return _give_up(post, failure)
    except PeerGone:
        return Status.DONE
    except WireError as error:
        trouble.log(errors, f"worker {post.slot}: {error}\n")
        return Status.BAD_WIRE


def choose(name: str, app: Application, options: dict[str, Any]) -> str:
    """The class that is to run app: "sync", "gthread", "gevent", "eventlet" or "asgi".
    load.Failure if the one that was asked for cannot."""
    asked = str(options["worker_class"])
    if asked == "asgi":
        return asked
    interface = options["interface"] if asked == "auto" else "auto"
    try:
        if interface == "auto":
            interface = load.interface(app)
    except load.SpecError as error:
        raise load.Failure("load", str(error), Status.CANNOT_LOAD) from error
    if interface == "asgi":
        if asked == "auto":
            return "asgi"
        text = f"{name} is an ASGI application, and {asked} workers run WSGI; use asgi, or leave the class out"
        raise load.Failure("load", text, Status.CANNOT_LOAD)
    if asked in ("auto", "sync"):
        return "gthread" if options["threads"] > 1 else "sync"
    return asked


def _serve(post: Post, kind: str, app: Application, hub: greenlets.Hub | None, errors: TextIO) -> Status:
    if post.options["scheduling"] == "batch":
        afterfork.schedule_as_batch()
    if kind == "asgi":
        status: Status = late.module("asgi").run(post, app, errors)
        return status
    if hub is not None:
        return greenlets.run(post, app, hub, errors)
    if post.own is not None:
        post.own.close()
    if kind == "gthread":
        return gthread.run(post, app, errors)
    afterfork.watch_retirement(post.lane.fileno(), post.report, post.row)
    around = post.hooks.around(post.worker, responder(post.options))
    ask = functools.partial(departure.ask, post.report)
    answer = departure.limited(around, post.options, functools.partial(ask, "max_requests"))
    if limits := deadline.Limits(post.options):
        answer = deadline.in_signals(limits, errors, post.row, functools.partial(ask, "request_timeout")).around(answer)
    post.row[BEAT] = monotonic_ns()
    post.report.send("ready", "wsgi", 1, False)
    return sync.serve(sync.Seat(post.lane, post.replies, post.row), app, errors, answer)


def _call(post: Post, name: str, *arguments: Any) -> None:
    """Call a hook that the worker cannot boot without."""
    try:
        post.hooks.call(name, *arguments)
    except HookError as error:
        raise load.Failure("boot", str(error), Status.BOOT_FAILED) from error


def _give_up(post: Post, failure: load.Failure) -> Status:
    try:
        post.report.send("failed", failure.stage, trouble.limited(failure.text))
    except PeerGone:
        pass  # the master is gone; the status is all that is left to say
    return failure.status
