"""Words for what went wrong in the application. Used by the worker.

A traceback shows the application's frames only: ours at its top would be the
same in every one, and what the reader looks for is below them.
"""

from __future__ import annotations

import traceback
from types import TracebackType
from typing import Optional, TextIO

MAX_TEXT = 60_000  # characters of a report (docs/protocol.md)
_MAX_BYTES = 120_000  # of the same text, so that it fits a message in any script
_MAX_LINE = 1_000


def describe(error: BaseException) -> str:
    """The traceback of error, without our frames at its top, as whole lines."""
    lines = traceback.format_exception(type(error), error, _theirs(error.__traceback__))
    return "".join(lines)


def one_line(error: BaseException) -> str:
    """The kind of error and what it says, short enough for a log line."""
    text = "".join(traceback.format_exception_only(type(error), error)).strip()
    return clean(" ".join(text.split()))[:_MAX_LINE]


def log(errors: TextIO, text: str) -> None:
    """Write text at once, so that lines of two workers do not mix."""
    try:
        errors.write(text)
        errors.flush()
    except (OSError, ValueError):
        pass  # standard error is closed: there is nobody to tell


def limited(text: str) -> str:
    """The end of text, if it is too long for a report: the error is there."""
    text = clean(text)[-MAX_TEXT:]
    data = text.encode()
    return text if len(data) <= _MAX_BYTES else data[-_MAX_BYTES:].decode(errors="ignore")


def clean(text: str) -> str:
    """text with lone surrogates written out: they have no UTF-8 and no marshal form for Go."""
    return text.encode(errors="backslashreplace").decode()


def _theirs(tb: Optional[TracebackType]) -> Optional[TracebackType]:
    while tb is not None and _ours(tb):
        tb = tb.tb_next
    return tb


def _ours(tb: TracebackType) -> bool:
    module = tb.tb_frame.f_globals.get("__name__", "")
    return isinstance(module, str) and module.partition(".")[0] == __package__
