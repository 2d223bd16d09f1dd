"""server.log and worker.log: what hooks log with. Used by mold and worker.

The lines go where those of the master go, to standard error, in the form that
Gunicorn's have; under the journal without a time, and with a priority instead.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

_FORMAT = "[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s"
_DATE = "[%Y-%m-%d %H:%M:%S %z]"[1:-1]
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class JournalFormatter(logging.Formatter):
    """Lines with the prefix of sd-daemon(3)."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


class Logger:
    """What Gunicorn calls its logger: the usual methods, and error_log behind them."""

    def __init__(self, cfg: Any) -> None:
        self.cfg = cfg
        self.error_log = logging.getLogger("gunicorn.error")
        self.access_log = logging.getLogger("gunicorn.access")
        self.error_log.propagate = False
        level = str(cfg.settings.get("loglevel", "info")).upper()
        self.error_log.setLevel(getattr(logging, level, logging.INFO))
        if not self.error_log.handlers:
            self.error_log.addHandler(_handler())
        self.debug = self.error_log.debug
        self.info = self.error_log.info
        self.warning = self.error_log.warning
        self.error = self.error_log.error
        self.critical = self.error_log.critical
        self.exception = self.error_log.exception
        self.log = self.error_log.log


def _handler() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    if under_journal(handler.stream):
        handler.setFormatter(JournalFormatter("%(message)s"))
    else:
        handler.setFormatter(logging.Formatter(_FORMAT, _DATE))
    return handler


def under_journal(stream: Any) -> bool:
    """Whether the journal reads what is written to stream (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        info = os.fstat(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{info.st_dev}:{info.st_ino}"
