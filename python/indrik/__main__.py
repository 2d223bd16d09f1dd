"""Start a mold, and be a worker when the mold forked one: `python -m indrik --channel 3`;
or become the service, with any other arguments: `python -m indrik app:app`.

The first is started by the master, from a zip in a memfd (`python /proc/self/fd/4 --channel 3`)
or from files. This module decides which role the process has, and nothing else.
"""

from __future__ import annotations

import linecache
import os
import re
import sys

# What every mold needs is imported now, while the zip is readable and sys.path leads to
# it; late keeps the rest.
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
    leave_no_trace()
    afterfork.watch_faults()
    role = mold.run(channel)
    status = role if isinstance(role, Status) else worker.run(role)
    afterfork.hear_no_more()
    return status


def leave_no_trace() -> None:
    """Give the application a sys.path and sys.argv that know nothing of us.

    sys.path[0] is the zip, or with `-m` the directory we were started in. Our source
    goes into linecache first, so that tracebacks can still show it.
    """
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == __package__ and module.__file__:
            linecache.getlines(module.__file__, module.__dict__)
    late.keep(sys.modules[str(__package__)])
    sys.argv[:] = ["indrik"]
    origin = sys.path[0] if sys.path else ""
    archive = re.fullmatch(r"/proc/self/fd/(\d+)", origin)
    if archive is None:
        return
    sys.path.remove(origin)
    for path in [path for path in sys.path_importer_cache if path.startswith(origin)]:
        del sys.path_importer_cache[path]
    os.close(int(archive[1]))


if __name__ == "__main__":
    sys.exit(main())
