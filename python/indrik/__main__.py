"""Start a mold, and be a worker when the mold forked one: `python -m indrik --channel 3`;
or become the service, with any other arguments: `python -m indrik app:app`.

The first is started by the master, from memory (boot.py) or from files. This module decides which
role the process has, and nothing else.
"""

from __future__ import annotations

import sys

from . import afterfork, late, mold, worker
from .status import Status
from .wire import Channel


def main() -> int:
    """Run the process's role; returns its exit status."""
    if sys.argv[1:2] != ["--channel"]:
        return int(late.module("launch").main(sys.argv[1:]))
    afterfork.adopt_signals()
    if len(sys.argv) != 3 or sys.argv[1] != "--channel" or not sys.argv[2].isdecimal():
        print("usage: python -m indrik --channel FD (it is for Indrik's master to start)", file=sys.stderr)
        return 2
    channel = Channel(int(sys.argv[2]))
    sys.argv[:] = ["indrik"]  # the application may look at it
    afterfork.watch_faults()
    role = mold.run(channel)
    status = role if isinstance(role, Status) else worker.run(role)
    afterfork.hear_no_more()
    return status


if __name__ == "__main__":
    sys.exit(main())
