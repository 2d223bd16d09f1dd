"""The sync worker: load the application, say so, take requests one at a time.
Runs in the worker, after the fork.
"""

from __future__ import annotations

import io
import os
import socket
import sys
from dataclasses import dataclass
from marshal import loads
from time import monotonic_ns
from typing import Any, TextIO

from . import afterfork, asgi, load, trouble
from .app import Application, Exchange, FileWrapper, respond
from .body import opened
from .status import Status
from .wire import (
    ANSWERED,
    BEAT,
    MAX_MESSAGE,
    REQUEST,
    START,
    Channel,
    PeerGone,
    WireError,
    close_all,
    descriptors,
)

_LOOP_SHIFT = 56  # of a request's id: the gateway loop that it belongs to
_CLOEXEC = socket.MSG_CMSG_CLOEXEC
_CUT = socket.MSG_TRUNC | socket.MSG_CTRUNC
_CONTROL = socket.CMSG_SPACE(4)  # room for the one descriptor a request may bring


@dataclass(frozen=True)
class Post:
    """What a worker is given: its place, its sockets and its application's name.

    Owns the sockets. row is its first seat's row of the scoreboard. own is the lane of its
    own, which the master made because the worker may turn out to need one; a worker that
    takes requests from the shared lane closes it. options are the settings of docs/protocol.md,
    "Keys of configure", with times in seconds.
    """

    app: str
    slot: int
    generation: int
    lane: socket.socket
    report: Channel
    replies: tuple[socket.socket, ...]
    row: memoryview
    own: socket.socket | None
    options: dict[str, Any]


def run(post: Post) -> Status:
    """Be the worker of this post until it is retired; returns its exit status."""
    if post.options["worker_class"] not in ("auto", "sync", "asgi"):
        text = f"worker class {post.options['worker_class']!r} is not available in this version"
        return _give_up(post, "boot", text, Status.BOOT_FAILED)
    try:
        app = load.load(post.app)
        speaks_asgi = _interface(post, app) == "asgi"
    except load.SpecError as error:
        return _give_up(post, "load", str(error), Status.CANNOT_LOAD)
    except (ImportError, SyntaxError) as error:
        return _give_up(post, "load", trouble.describe(error), Status.CANNOT_LOAD)
    except (Exception, SystemExit) as error:  # noqa: BLE001 (the application's; becomes status 3)
        return _give_up(post, "boot", trouble.describe(error), Status.BOOT_FAILED)
    errors = sys.stderr or open(os.devnull, "w")
    if speaks_asgi:
        return asgi.run(post, app, errors)
    if post.own is not None:
        post.own.close()
    afterfork.watch_retirement(post.lane.fileno(), post.report)
    try:
        post.row[BEAT] = monotonic_ns()
        post.report.send("ready", "wsgi", 1, False)
        return serve(post, app, errors)
    except PeerGone:
        return Status.DONE
    except WireError as error:
        trouble.log(errors, f"worker {post.slot}: {error}\n")
        return Status.BAD_WIRE


def _interface(post: Post, app: Application) -> str:
    asked = "asgi" if post.options["worker_class"] == "asgi" else post.options["interface"]
    return load.interface(app) if asked == "auto" else str(asked)


def serve(post: Post, app: Application, errors: TextIO) -> Status:
    """Take requests off the lane until its end of file.

    This loop is the cost of every request, so it keeps what it needs in locals and
    does without a call where it can. PeerGone if the gateway and the master are gone.
    """
    row, replies, receive = post.row, post.replies, post.lane.recvmsg_into
    buffer = bytearray(MAX_MESSAGE)
    buffers, view = [buffer], memoryview(buffer)
    row[BEAT] = monotonic_ns()
    while True:
        try:
            size, ancillary, flags, _ = receive(buffers, _CONTROL, _CLOEXEC)
        except BlockingIOError:  # the lane's SO_RCVTIMEO: nothing to do for a second
            row[BEAT] = monotonic_ns()
            continue
        except ConnectionResetError:
            return Status.DONE
        if not size:
            return Status.DONE
        fds = descriptors(ancillary) if ancillary else []
        if flags & _CUT:
            close_all(fds)
            raise WireError(f"a request of more than {MAX_MESSAGE} bytes or one descriptor")
        try:
            request, environ, body = loads(view[:size])
            outlet = replies[request >> _LOOP_SHIFT]
            source = io.BytesIO(body) if type(body) is bytes and not fds else opened(body, fds)
            environ["wsgi.input"] = source
        except (EOFError, ValueError, TypeError, IndexError) as error:
            close_all(fds)
            raise WireError(f"not a request: {error}") from error
        row[START] = now = monotonic_ns()
        row[REQUEST] = request  # after its start: whoever sees the id sees the time
        row[BEAT] = now  # after the id: a beat says that nothing is held unseen
        environ["wsgi.errors"] = errors
        environ["wsgi.file_wrapper"] = FileWrapper
        respond(app, environ, Exchange(request, outlet), errors, request)
        if fds:
            source.close()
        row[ANSWERED] += 1
        row[BEAT] = monotonic_ns()
        row[REQUEST] = 0


def _give_up(post: Post, stage: str, text: str, status: Status) -> Status:
    try:
        post.report.send("failed", stage, trouble.limited(text))
    except PeerGone:
        pass  # the master is gone; the status is all that is left to say
    return status
