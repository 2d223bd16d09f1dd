"""Exit statuses of a worker, read by the master. Used by mold and worker."""

from __future__ import annotations

import enum


class Status(enum.IntEnum):
    """How a worker left (docs/protocol.md, "Report: worker to master").

    A worker that dies by a signal has none of them.
    """

    DONE = 0  # retired, or the other side of a socket is gone
    CRASHED = 1  # an exception ended it in service; the interpreter's own status
    BOOT_FAILED = 3  # the application was found but could not start
    CANNOT_LOAD = 4  # no such module or attribute, import error, not callable
    BAD_WIRE = 5  # the two sides do not speak the same protocol
