"""Measures of moments: starting, replacing a worker, reloading; and memory after the start."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import signal
import statistics
import subprocess
import threading
import time

import generators
from measures import MB, Context, Metrics
from processes import NotRun, Server, dial, get, pss, roles, tree
from servers import APPS, PYTHON

COLD_STARTS = 3
REPLACEMENTS = 3
SETTLED = 2.0  # seconds
LIMIT = 20.0  # seconds for anything that is waited for


def cold(c: Context) -> Metrics:
    """From connecting to the first byte, when the connection is what starts the server (systemd-socket-activate),
    and beside it how long Python needs to import the application. Medians of COLD_STARTS, in ms. One that is not measured
    goes before, and lives long enough to leave compiled code behind, if the server does such a thing."""
    first, imports = [], []
    activated(c, SETTLED)
    for _ in range(COLD_STARTS):
        began = time.monotonic()
        subprocess.run([PYTHON, "-c", f"import {c.launch.app}"], cwd=APPS, check=True)
        imports.append((time.monotonic() - began) * 1e3)
        first.append(activated(c) * 1e3)
    return {"ms": statistics.median(first), "import": statistics.median(imports), "errors": 0.0}


def activated(c: Context, rest: float = 0) -> float:
    """Seconds from connecting to the first byte. The server lives for so many seconds more."""
    command = c.peer.command(dataclasses.replace(c.launch, inherited=True))
    listen = ["systemd-socket-activate", "-l", c.launch.address]
    environment = [option for name in ("PYTHONPATH", "LANG") if name in os.environ for option in ("-E", name)]
    with Server([*listen, *environment, *command], APPS, c.log) as server:
        limit = time.monotonic() + LIMIT
        while not listens(int(c.launch.port)):
            server.check()
            if time.monotonic() > limit:
                raise NotRun(f"systemd-socket-activate does not listen: {server.said()}")
            time.sleep(0.005)
        time.sleep(0.1)  # until it sleeps in its poll
        began = time.monotonic()
        with dial(c.launch.address, LIMIT) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            try:
                got = s.recv(4096)
            except OSError as e:
                raise NotRun(f"no response: {e}; {server.said()}") from e
        took = time.monotonic() - began
        time.sleep(rest)
        if not got.startswith(b"HTTP/1.1 200"):
            raise NotRun(f"answered {got[:60]!r}; {server.said()}")
        return took


def listens(port: int) -> bool:
    """Whether anybody does on that port of IPv4; connecting would start the server (proc(5), /proc/net/tcp)."""
    local, listening = f":{port:04X}", "0A"
    rows = (row.split() for row in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(row[1].endswith(local) and row[3] == listening for row in rows)


def replace(c: Context) -> Metrics:
    """From kill -9 of the only worker until another one has answered a request; median and worst of REPLACEMENTS, in ms.
    The server has run for SETTLED before: in its first moments it may have other things to do."""
    took = []
    time.sleep(SETTLED)
    for _ in range(REPLACEMENTS):
        old = int(get(c.address, "/pid"))
        if old == c.server.pid:
            raise NotRun("its only worker is its first process: nothing is left that could replace it")
        began = time.monotonic()
        os.kill(old, signal.SIGKILL)
        new_pid(c, {old})
        took.append((time.monotonic() - began) * 1e3)
        time.sleep(c.peer.rest)
    return {"ms": statistics.median(took), "worst": max(took), "errors": 0.0}


def new_pid(c: Context, old: set[int]) -> None:
    """Returns when a worker that is not one of the old has answered."""
    limit = time.monotonic() + LIMIT
    while time.monotonic() < limit:
        try:
            if int(get(c.address, "/pid", LIMIT)) not in old:
                return
        except OSError:
            time.sleep(0.001)
        c.server.check()
    raise NotRun(f"no new worker within {LIMIT:.0f} s: {c.server.said()}")


def memory(c: Context) -> Metrics:
    """After some load: proportional set size of all processes, and of a worker, in MB."""
    load = generators.wrk(c.url, c.connections, c.seconds)
    by = roles(c.server.pid)
    workers = by["workers"]
    if len(workers) < c.launch.workers:
        raise NotRun(f"only {len(workers)} workers were found")
    each = {f"pss {what}": pss(pids) / MB for what, pids in by.items()}
    return {"errors": float(load.errors), "pss_worker": pss(workers) / len(workers) / MB, "pss": sum(each.values()), **each}


def reload(c: Context) -> Metrics:
    """500 requests a second; after a third of the time, at most 2 s, the server is told to reload. p99 is that from then
    on; "reload took" is the seconds until no worker was left that had been there before, with or without load."""
    if c.peer.reload is None:
        raise NotRun("it has no reload")
    how = c.peer.reload
    old = set(roles(c.server.pid)["workers"])
    took: list[float] = []

    def watch() -> None:
        began = time.monotonic()
        while old & set(tree(c.server.pid)) and time.monotonic() < began + c.seconds + LIMIT:
            time.sleep(0.05)
        took.append(time.monotonic() - began)

    watcher = threading.Thread(target=watch)

    def now() -> None:
        os.kill(c.server.pid, how)
        watcher.start()

    options = ["-connections", str(c.connections), "-calm", str(min(2.0, c.seconds / 3))]
    try:
        load, phases = generators.fixed_rate(c.address, 500, c.seconds, options, now)
    finally:
        if watcher.ident is not None:
            watcher.join()
    c.server.check()
    if left := old & set(tree(c.server.pid)):
        raise NotRun(f"{len(left)} of {len(old)} workers were not replaced")
    return {**load.metrics(), "p99 calm": phases[0]["fast"]["p99"] / 1e3, "reload took": took[0]}
