"""Deadlines of single requests in an asgi worker: deadline.py for tasks. Runs in the
worker, after the fork, on its loop.

A WebSocket is a request while it is open, and has no limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from time import monotonic, monotonic_ns
from typing import Any

from . import deadline, stacks, wire
from .asgi_http import Request


def look(limits: deadline.Limits, log: deadline.Log, held: Iterable[Any], row: memoryview) -> bool:
    """See to the requests among held, oldest first, that have passed a limit, and show the
    master the oldest. True if the worker should leave because one cannot be ended."""
    now, oldest, stuck = monotonic(), None, False
    least = min(limit for limit in (limits.slow, limits.most) if limit)
    for request in list(held):
        if type(request) is not Request or not request.begun or request.given_up:
            continue
        age = now - request.begun
        oldest = oldest or request
        if age < least:
            break  # those that follow are younger
        stuck = _see(limits, log, request, age) or stuck
    _publish(row, oldest, now)
    return stuck


def _see(limits: deadline.Limits, log: deadline.Log, request: Request, age: float) -> bool:
    """See to one request of this age, in seconds. True if it was given up."""
    assert request.task is not None
    named = request.named()
    if limits.most and age >= limits.most:
        if not request.overdue:
            request.overdue = True
            log.late(named, stacks.of_tasks([request.task], {}))
            request.task.cancel()
        elif age >= limits.most + deadline.GIVE_UP * limits.grace:
            request.given_up = True
            request.farewell = asyncio.ensure_future(request.give_up())
            return True
    elif limits.slow and age >= limits.slow and not request.noted:
        request.noted = True
        log.slow(named, age, stacks.of_tasks([request.task], {}))
    return False


def show(row: memoryview, number: int) -> None:
    """Show the master a request that begins: it may block the loop before we look."""
    row[wire.START] = monotonic_ns()
    row[wire.REQUEST] = number


def _publish(row: memoryview, oldest: Request | None, now: float) -> None:
    """As deadline.publish."""
    if oldest is None:
        row[wire.REQUEST] = 0
        return
    row[wire.START] = monotonic_ns() - int((now - oldest.begun) * 1e9)
    row[wire.REQUEST] = oldest.number
