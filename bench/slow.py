"""What clients that attack by slowness cost the others.

slowhttptest (Debian) opens its connections in one of its three modes; wrk
measures ordinary requests alone, then beside them.
"""

from __future__ import annotations

import contextlib
import pathlib
import subprocess
import time
from collections.abc import Iterator

import generators
from measures import Context, Metrics, loaded
from processes import NotRun, get, stat

CLIENTS = 500
LIMIT = 20.0  # seconds until all of them are connected


def heads(c: Context) -> Metrics:
    return beside(c, ["-H", "-i", "2"], "/")


def bodies(c: Context) -> Metrics:
    return beside(c, ["-B", "-i", "2", "-s", "65000"], "/")


def reading(c: Context) -> Metrics:
    return beside(c, ["-X", "-n", "2", "-z", "16", "-w", "64", "-y", "512"], "/1m")


def beside(c: Context, options: list[str], path: str) -> Metrics:
    """The figures of the others beside the attack; "p99 calm" and "cpu calm" are those without it."""

    def load(seconds: float) -> generators.Load:
        return generators.wrk(c.url, c.connections, seconds, "tail.lua")

    calm = loaded(c, load)
    with attack(c, options, path) as attacker:
        began, before = time.monotonic(), stat(attacker).cpu
        worse = loaded(c, load)
        share = (stat(attacker).cpu - before) / (time.monotonic() - began)
    return {**worse, "p99 calm": calm["p99"], "p50 calm": calm["p50"], "calm cpu": calm["cpu"], "attacker": share}


@contextlib.contextmanager
def attack(c: Context, options: list[str], path: str) -> Iterator[int]:
    """All slow clients are connected in between, and still are at its end. Gives slowhttptest's process id."""
    port = int(c.launch.port)
    command = ["slowhttptest", *options, "-u", f"http://{c.address}{path}", "-c", str(CLIENTS), "-r", str(CLIENTS), "-p", "5"]
    try:
        process = subprocess.Popen([*command, "-l", str(round(c.seconds) + 60)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        raise NotRun("slowhttptest is not installed") from None
    try:
        limit = time.monotonic() + LIMIT
        while (here := established(port)) < CLIENTS:
            if time.monotonic() > limit or process.poll() is not None:
                raise NotRun(f"{here} of {CLIENTS} slow clients are connected")
            time.sleep(0.1)
        get(c.address)  # what they asked for must be made once: that is the application's time
        yield process.pid
        if (left := established(port)) < CLIENTS:
            raise NotRun(f"{left} of {CLIENTS} slow clients are left")
    finally:
        process.terminate()
        process.wait()


def established(port: int) -> int:
    """Connections to the port, as its server sees them (proc(5), /proc/net/tcp)."""
    local, state = f":{port:04X}", "01"
    rows = (row.split() for row in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(row[1].endswith(local) and row[3] == state for row in rows)
