"""Words for what went wrong in the application. Used by the worker.

A traceback shows the application's frames only: ours would be the same in every
one, and what the reader looks for is between them.
"""

from __future__ import annotations

import io
import os
import traceback
from typing import TextIO

MAX_TEXT = 60_000  # characters of a report (docs/protocol.md)
_MAX_BYTES = 120_000  # of the same text, so that it fits a message in any script
_MAX_LINE = 1_000
_OURS = os.path.join(os.path.dirname(__file__), "")


def describe(error: BaseException) -> str:
    """The traceback of error as whole lines; just its last line if the application
    is in none of the frames."""
    whole = traceback.TracebackException.from_exception(error)
    frames = theirs(whole.stack)
    if not frames:
        return "".join(whole.format_exception_only())
    whole.stack = traceback.StackSummary.from_list(frames)
    return "".join(whole.format())


def one_line(error: BaseException) -> str:
    """The kind of error and what it says, short enough for a log line."""
    text = "".join(traceback.format_exception_only(type(error), error)).strip()
    return clean(" ".join(text.split()))[:_MAX_LINE]


class Errors(io.TextIOBase):
    """wsgi.errors with a log behind it."""

    def report(self, text: str) -> None:
        """Write text as a message of the log."""
        raise NotImplementedError


def log(errors: TextIO | Errors, text: str) -> None:
    """Write text at once, so that lines of two workers do not mix; to a log if there is one."""
    try:
        if isinstance(errors, Errors):
            errors.report(text)
            return
        errors.write(text)
        errors.flush()
    except (OSError, ValueError):
        pass  # standard error is closed: there is nobody to tell


def known_as(number: object) -> str:
    """What a log line adds for a request to which the gateway gave an id: number, as its
    own lines and the response have it."""
    return f" id={number}" if number else ""


def limited(text: str) -> str:
    """The end of text, if it is too long for a report: the error is there."""
    text = clean(text)[-MAX_TEXT:]
    data = text.encode()
    return text if len(data) <= _MAX_BYTES else data[-_MAX_BYTES:].decode(errors="ignore")


def clean(text: str) -> str:
    """text with lone surrogates written out: they have no UTF-8 and no marshal form for Go."""
    return text.encode(errors="backslashreplace").decode()


def theirs(stack: list[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    """stack without our frames at its two ends: those that led to the application,
    and those that it called to be told that it broke a rule."""
    first, last = 0, len(stack)
    while first < last and stack[first].filename.startswith(_OURS):
        first += 1
    while first < last and stack[last - 1].filename.startswith(_OURS):
        last -= 1
    return stack[first:last]
