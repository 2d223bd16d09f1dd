"""Log files: how they are opened, and opened anew after somebody has renamed them.
Used by mold and worker.

A file is opened anew by putting the new one under the descriptor of the old (dup2): that
is one step for all who write at the same time, so it needs no lock, can be done by a
signal's handler, and no line is lost or cut.
"""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
from types import FrameType
from typing import Any, Callable

_FLAGS = os.O_APPEND | os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC


class LogFile(logging.FileHandler):
    """A file that others write to as well: a record is one write to its end."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "a", "utf-8")

    def _open(self) -> io.TextIOWrapper:
        raw: Any = io.FileIO(os.open(self.baseFilename, _FLAGS, 0o666), "w")
        return io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)


def capture(path: str) -> None:
    """Put the file at path where standard output and error are. OSError if it cannot be opened."""
    _flush()
    _put(path, (1, 2))


def reopen(captured: str | None) -> None:
    """Open the files of all handlers anew, and the one that captures output. Those
    that cannot be opened stay what they are; OSError tells of the last."""
    failed: OSError | None = None
    for handler in _file_handlers():
        stream = handler.stream
        if stream is None or stream.closed:
            continue  # it has not been written to yet
        try:
            _put(handler.baseFilename, (stream.fileno(),))
        except OSError as error:
            failed = error
    if captured is not None:
        try:
            _put(captured, (1, 2))
        except OSError as error:
            failed = error
    if failed is not None:
        raise failed


def hear_reopen(log: Any) -> None:
    """SIGUSR1 has log open its files anew: in the mold, so that its workers begin with
    this, and in a worker. An application may take the signal for itself, as with Gunicorn."""

    def handler(signum: int, frame: FrameType | None) -> None:
        reopen_of(log)()

    signal.signal(signal.SIGUSR1, handler)
    # What the application waits for in C code goes on waiting.
    signal.siginterrupt(signal.SIGUSR1, False)


def reopen_of(log: Any) -> Callable[[], None]:
    """How log opens its files anew, with its failure as a line of the log."""

    def attempt() -> None:
        try:
            log.reopen_files()
        except OSError as error:
            log.error("log file could not be reopened: %s", error)

    return attempt


def _put(path: str, places: tuple[int, ...]) -> None:
    fd = os.open(path, _FLAGS, 0o666)
    try:
        for place in places:
            os.dup2(fd, place, inheritable=place < 3)
    finally:
        os.close(fd)


def _file_handlers() -> list[logging.FileHandler]:
    """Those of all loggers, each once."""
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    found: dict[int, logging.FileHandler] = {}
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):  # a placeholder has none
            if isinstance(handler, logging.FileHandler):
                found[id(handler)] = handler
    return list(found.values())


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
