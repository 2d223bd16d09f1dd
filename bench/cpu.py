"""What a request costs each process: processor time from /proc around a run of wrk.

Starts the server on bench/app.py, warms it up, reads utime and stime of every
process of its tree before and after the load, and divides by the requests that
wrk counted. Unlike requests per second this says little about how busy the
machine is with other things, so it is the figure to compare between hours.

    .venv/bin/python bench/cpu.py [--seconds 5] [--connections 32] [--asgi | --classes] [--server indrik|gunicorn|uvicorn]
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
from dataclasses import dataclass

from hello import Server, asgi_servers, class_servers, servers, wait_until_serving

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Spent:
    """Processor seconds of one process (proc(5), /proc/pid/stat)."""

    name: str
    user: float
    system: float


def stat(pid: int) -> tuple[str, int, float, float]:
    """Name, parent, user and system seconds. The name stands in parentheses and
    may hold anything, so the fields are counted from the last one."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    return name, int(fields[1]), int(fields[11]) / TICK, int(fields[12]) / TICK


def tree(root: int) -> dict[int, Spent]:
    """The process root and all its descendants."""
    known: dict[int, tuple[str, int, float, float]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                known[int(entry)] = stat(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                pass  # it ended meanwhile
    family, grown = {root}, True
    while grown:
        more = {pid for pid, (_, parent, _, _) in known.items() if parent in family} - family
        family, grown = family | more, bool(more)
    return {pid: Spent(known[pid][0], *known[pid][2:]) for pid in sorted(family) if pid in known}


def load(port: int, connections: int, seconds: int) -> tuple[int, float]:
    """One run of wrk: requests answered, and requests per second."""
    said = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{port}/"],
        check=True, capture_output=True, text=True,
    ).stdout
    count, rate = re.search(r"(\d+) requests in", said), re.search(r"Requests/sec:\s+([\d.]+)", said)
    if count is None or rate is None:
        sys.exit(f"wrk said:\n{said}")
    return int(count[1]), float(rate[1])


def measure(server: Server, args: argparse.Namespace) -> None:
    process = subprocess.Popen(server.command)
    try:
        wait_until_serving(args.port, process)
        load(args.port, args.connections, 1)  # warm
        before = tree(process.pid)
        requests, rate = load(args.port, args.connections, args.seconds)
        after = tree(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=40)
    print(f"{server.name}: {requests:,} requests, {rate:,.0f} a second; microseconds of processor per request:")
    print(f"  {'process':24s} {'user':>7s} {'system':>7s} {'sum':>7s}")
    total = 0.0
    for pid, now in after.items():
        then = before.get(pid, Spent(now.name, 0, 0))
        user, system = ((b - a) / requests * 1e6 for a, b in ((then.user, now.user), (then.system, now.system)))
        total += user + system
        role = "master" if pid == process.pid else now.name
        print(f"  {role:24s} {user:7.1f} {system:7.1f} {user + system:7.1f}")
    print(f"  {'all':24s} {'':7s} {'':7s} {total:7.1f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--port", type=int, default=18098)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--asgi", action="store_true", help="an ASGI application, and uvicorn beside it")
    which.add_argument("--classes", action="store_true", help="Indrik with each of its worker classes")
    parser.add_argument("--server", choices=["indrik", "gunicorn", "uvicorn"], help="only this one")
    args = parser.parse_args()
    chosen = class_servers if args.classes else asgi_servers if args.asgi else servers
    for server in chosen(args.port, args.workers):
        if args.server is None or server.name.startswith(args.server):
            measure(server, args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
