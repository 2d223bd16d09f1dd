"""What it costs a service to be asked how it is: `indrik status` and a scrape of its metrics, once a second, under full load.

The ratio of the throughput with and without is noisy on a machine that others use too. Processor time is not: it is what
master and gateway spend more, for one time that they are asked.
"""

from __future__ import annotations

import os
import pathlib
import statistics
import threading
import time

import generators
from measures import Context, Metrics
from processes import get, roles

PAIRS = 4  # of rounds, one of which is asked; which of them comes first alternates
EVERY = 1.0  # seconds between two times
CALM = 50  # times that it is asked without load, for what the gateway pays
PROCESSORS = os.cpu_count() or 1


def status(c: Context) -> Metrics:
    control = f"unix:{c.launch.folder}/control"
    generators.wrk(c.url, c.connections, 1)
    calm([], control)  # what the first answers cost more
    by = roles(c.server.pid)
    ratios, rates, costs, errors, took = [], [], [], 0, Asker(control)
    for pair in range(PAIRS):
        rate, spent, answered = {}, {}, len(took.status)
        for asked in (pair % 2 == 0, pair % 2 != 0):
            before = processor(by["master"])
            if asked:
                took.start()
            load = generators.wrk(c.url, c.connections, c.seconds)
            took.stop()
            rate[asked], errors = load.rate, errors + load.errors
            spent[asked] = processor(by["master"]) - before
        ratios.append(rate[True] / rate[False])
        rates.append(rate[True])
        costs.append((spent[True] - spent[False]) / max(1, len(took.status) - answered))
    c.server.check()
    master, gateway = statistics.median(costs) * 1e6, calm(by["gateway"], control) * 1e6
    return {
        "rate": statistics.median(rates), "ratio": statistics.median(ratios), "errors": float(errors),
        "status": statistics.median(took.status) * 1e3, "status worst": max(took.status) * 1e3,
        "scrape": statistics.median(took.scrape) * 1e3, "scrape worst": max(took.scrape) * 1e3,
        "cpu master": master, "cpu gateway": gateway, "cpu": master + gateway,
        "share": (master + gateway) / EVERY / 1e6 / PROCESSORS * 100,
    }  # fmt: skip


def calm(pids: list[int], control: str) -> float:
    """Seconds of processor that one time costs these processes. Under load it drowns in what requests cost."""
    before = processor(pids)
    began = time.monotonic()
    for _ in range(CALM):
        get(control, "/v1/status")
    asked, lasted = processor(pids) - before, time.monotonic() - began
    before = processor(pids)
    time.sleep(lasted)
    return max(0.0, asked - (processor(pids) - before)) / CALM


class Asker:
    """Asks beside the load, and keeps how long each answer took, in seconds."""

    def __init__(self, control: str) -> None:
        self.control = control
        self.status: list[float] = []
        self.scrape: list[float] = []
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._end.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self._end.set()
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._end.wait(EVERY / 2):  # the first time is in the middle of a second
            for path, into in (("/v1/status", self.status), ("/metrics", self.scrape)):
                began = time.monotonic()
                get(self.control, path)
                into.append(time.monotonic() - began)
            self._end.wait(EVERY / 2)


def processor(pids: list[int]) -> float:
    """Seconds that processes have used, to the nanosecond: ticks of 10 ms are too coarse for what one answer costs
    (proc(5), /proc/pid/task/tid/schedstat)."""
    total = 0
    for pid in pids:
        for schedstat in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total += int(schedstat.read_text().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                pass  # it ended
    return total / 1e9
