"""A seat: takes requests off the shared lane and answers them, one at a time. Runs
in the worker, after the fork. A sync worker is one seat; a gthread worker has one
in each of its threads (gthread.py).
"""

from __future__ import annotations

import io
import socket
from marshal import loads
from time import monotonic_ns
from typing import Callable, NamedTuple, TextIO

from .app import Application, Exchange, FileWrapper
from .body import opened
from .reply import Outlet
from .status import Status
from .wire import ANSWERED, BEAT, MAX_MESSAGE, REQUEST, START, WireError

LOOP_SHIFT = 56  # of a request's id: the gateway loop that it belongs to


class Seat(NamedTuple):
    """What a seat works with. The sockets are its worker's; row is its own row of
    the scoreboard."""

    lane: socket.socket
    replies: tuple[Outlet, ...]
    row: memoryview


def serve(seat: Seat, app: Application, errors: TextIO, answer: Callable[..., None]) -> Status:
    """Take requests off the lane until its end of file, and have answer (app.respond, or
    something around it) answer each.

    This loop is the cost of every request, so it keeps what it needs in locals and
    does without a call where it can. PeerGone if the gateway and the master are gone,
    WireError if they speak another protocol.
    """
    row, replies, receive = seat.row, seat.replies, seat.lane.recv_into
    buffer = bytearray(MAX_MESSAGE)
    view = memoryview(buffer)
    row[BEAT] = monotonic_ns()
    while True:
        try:
            size = receive(buffer)
        except BlockingIOError:  # the lane's SO_RCVTIMEO: nothing to do for a second
            row[BEAT] = monotonic_ns()
            continue
        except ConnectionResetError:
            return Status.DONE
        if not size:
            return Status.DONE
        try:
            request, environ, body = loads(view[:size])
            outlet = replies[request >> LOOP_SHIFT]
            source = io.BytesIO(body) if type(body) is bytes else opened(body, outlet, request, environ)
            if source is None:
                continue  # nobody waits for it any more
            environ["wsgi.input"] = source
        except (EOFError, ValueError, TypeError, IndexError) as error:
            raise WireError(f"not a request: {error}") from error
        row[START] = now = monotonic_ns()
        row[REQUEST] = request  # after its start: whoever sees the id sees the time
        row[BEAT] = now  # after the id: a beat says that nothing is held unseen
        environ["wsgi.errors"] = errors
        environ["wsgi.file_wrapper"] = FileWrapper
        answer(app, environ, Exchange(request, outlet), errors, request)
        if type(body) is not bytes:
            source.close()
        row[ANSWERED] += 1
        row[BEAT] = monotonic_ns()
        row[REQUEST] = 0
