"""Numbers that come from log lines, for StatsD: how many were errors, and what an
application puts into `extra`. Used by mold and worker.

The gateway counts requests and the master workers; lines of Python's loggers are seen
here only.
"""

from __future__ import annotations

import logging
import socket
from typing import Any

_PORT = 8125
_KINDS = {"gauge": "g", "counter": "c", "histogram": "h", "timer": "ms"}


class Numbers(logging.Filter):
    """Sends a datagram for a record that stands for a number. Nothing waits for it, and
    nothing fails if nobody takes it."""

    def __init__(self, address: str, prefix: str, tags: str) -> None:
        super().__init__()
        self._prefix = prefix.rstrip(".") + "." if prefix else ""
        self._suffix = f"|#{tags}" if tags else ""
        self._address = address
        self._socket = _connected(address)

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a record that is nothing but a number."""
        counter = _counter(record)
        if counter:
            self._send(f"gunicorn.log.{counter}", 1, "c")
        metric, value = getattr(record, "metric", None), getattr(record, "value", None)
        kind = _KINDS.get(str(getattr(record, "mtype", "")))
        if metric and value is not None and kind is not None:
            self._send(str(metric), value, kind)
        return bool(record.msg)

    def _send(self, name: str, value: Any, kind: str) -> None:
        try:
            if self._socket is None:
                self._socket = _connected(self._address)
            if self._socket is not None:
                self._socket.send(f"{self._prefix}{name}:{value}|{kind}{self._suffix}".encode())
        except OSError:
            self._socket = None  # a daemon that is started again may have another socket


def _counter(record: logging.LogRecord) -> str:
    """Gunicorn's counter for records of this kind, or nothing."""
    if record.levelno >= logging.CRITICAL:
        return "critical"
    if record.levelno >= logging.ERROR:
        return "exception" if record.exc_info else "error"
    return "warning" if record.levelno >= logging.WARNING else ""


def _connected(address: str) -> socket.socket | None:
    """A socket that does not wait; None if there is no such address now."""
    path = address[len("unix://") :] if address.startswith("unix://") else ""
    host, port = address, _PORT
    if not path and not address.endswith("]") and ":" in address:
        name, _, text = address.rpartition(":")
        host, port = name, int(text)
    try:
        if path:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            target: Any = path
        else:
            family, kind, _, _, target = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_DGRAM)[0]
            made = socket.socket(family, kind)
        made.setblocking(False)
        made.connect(target)
    except OSError:
        return None
    return made
