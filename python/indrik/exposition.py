"""A program of its own, which imports none of ours: writes what prometheus_client has
counted in multiprocess mode, of all workers together, in Prometheus' text format.

    python -c SOURCE USER GROUP

The master starts it for each scrape, so that nothing that goes wrong in it, and nothing
that it imports, is in a process of the service. USER and GROUP are those that the workers
run as, or empty. The last line that it writes is END: without it the rest is not whole.
"""

from __future__ import annotations

import importlib
import os
import struct
import sys
import time
from typing import Any

END = "# all of it\n"
TRIES = 20  # a worker that boots may have made its file and not yet written the head


def become(user: str, group: str) -> None:
    """Read the application's files with the application's rights."""
    if os.geteuid() != 0 or not (user or group):
        return
    import grp
    import pwd

    try:
        gid = grp.getgrnam(group).gr_gid if group else os.getegid()
    except KeyError:
        gid = int(group)
    try:
        uid = pwd.getpwnam(user).pw_uid if user else os.geteuid()
    except KeyError:
        uid = int(user)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def collect() -> str:
    """What all workers have counted."""
    prometheus: Any = importlib.import_module("prometheus_client")
    multiprocess: Any = importlib.import_module("prometheus_client.multiprocess")
    for left in reversed(range(TRIES)):
        registry = prometheus.CollectorRegistry()
        try:
            multiprocess.MultiProcessCollector(registry)
            return str(prometheus.generate_latest(registry).decode())
        except (struct.error, FileNotFoundError):  # the files change while they are read
            if not left:
                raise
            time.sleep(0.05)
    raise AssertionError("the last try returns or raises")


def main() -> int:
    user, group = sys.argv[1:3]
    if "" in sys.path:  # the working directory: what is in it must not stand for a module of Python's
        sys.path.remove("")
        sys.path.append(os.getcwd())
    try:
        become(user, group)
        text = collect()
    except ModuleNotFoundError as error:  # of anything else the last line of the traceback tells
        print(f"{error}; install prometheus_client where the application is", file=sys.stderr)
        return 1
    sys.stdout.write(text + END)
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
