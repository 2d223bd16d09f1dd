"""Load generators, and what they say in one form. Times are in milliseconds."""

from __future__ import annotations

import json
import pathlib
import re
import resource
import signal
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from processes import NotRun
from servers import HERE, ROOT

LOAD = ROOT / "bin" / "bench-load"
PATIENCE = 20.0  # seconds that a generator may take beyond its time
STARVED = 300  # ms without an answer
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass
class Load:
    """One run of a load generator."""

    requests: int
    rate: float  # requests a second
    errors: int
    p50: float
    p99: float
    p999: float | None = None  # if the generator tells it
    cores: float = 0.0  # how many processors the generator itself kept busy
    more: dict[str, float] = field(default_factory=dict)

    def metrics(self) -> dict[str, float]:
        by = {"rate": self.rate, "requests": self.requests, "errors": self.errors, "p50": self.p50, "p99": self.p99}
        by |= {} if self.p999 is None else {"p999": self.p999}
        return {**by, "generator": self.cores, **self.more}


def said_by(command: list[str], seconds: float, on_line: Callable[[str], None] | None = None) -> tuple[str, float]:
    """The standard output of a generator, and the processors that it kept busy. Each line goes to on_line as it comes."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            lines = []
            assert process.stdout is not None and process.stderr is not None
            end = threading.Timer(seconds + PATIENCE, process.kill)
            end.start()
            try:
                for line in process.stdout:
                    lines.append(line)
                    if on_line is not None:
                        on_line(line)
                errors = process.stderr.read()
                process.wait()
            except BaseException:
                process.kill()
                raise
            finally:
                end.cancel()
    except FileNotFoundError:
        raise NotRun(f"{command[0]} is not installed") from None
    if process.returncode == -signal.SIGKILL:
        raise NotRun(f"{pathlib.Path(command[0]).name} did not end within {PATIENCE:.0f} s after its time: some connections are never served")
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode != 0:
        raise NotRun(f"{pathlib.Path(command[0]).name} ended with status {process.returncode}: {errors.strip()[-200:]}")
    return "".join(lines), (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / took


def milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()  # type: ignore[union-attr]
    return float(number) * UNITS[unit]


def wrk(url: str, connections: int, seconds: float, script: str = "", headers: tuple[str, ...] = ()) -> Load:
    """HTTP/1.1 as fast as the server answers, every connection one request at a time. Its latencies omit what a
    request that was never sent would have waited (coordinated omission)."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "--timeout", "10s"]
    command += ["-s", str(HERE / script)] if script else []
    for header in headers:
        command += ["-H", header]
    waiting: int | None = None

    def look() -> None:
        nonlocal waiting
        waiting = starved(urllib.parse.urlsplit(url).netloc.rpartition(":")[2])

    late = threading.Timer(max(1, round(seconds)) * 0.8, look)
    late.start()
    try:
        said, cores = said_by([*command, url], seconds)
    finally:
        late.cancel()
        late.join()
    load = parse_wrk(said)
    load.cores = cores
    if waiting is not None:
        load.more["starved"] = float(waiting)
    return load


def starved(port: str) -> int | None:
    """Connections to a port of this machine whose request nothing has answered for STARVED ms; None if ss (iproute2) is not here.
    wrk does not tell: a request that has no response by the end of its run is in none of its figures."""
    try:
        said = subprocess.run(
            ["ss", "-tniH", "state", "established", f"( sport = :{port} )"], check=True, capture_output=True, text=True
        ).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return count_starved(said)


def count_starved(said: str) -> int:
    """Of what ss says: on the first line of a connection its queues, on the second what the kernel knows of it."""
    connections = [lines for lines in re.sub(r"\n\s+", " ", said).splitlines() if lines.strip()]
    last = [re.search(r" lastrcv:(\d+)", connection) for connection in connections if "bytes_acked:" not in connection]
    return sum(since is not None and int(since[1]) >= STARVED for since in last)


def parse_wrk(said: str) -> Load:
    rate, count = re.search(r"Requests/sec:\s+([\d.]+)", said), re.search(r"(\d+) requests in", said)
    at = {share: re.search(rf"(?m)^\s+{share}%\s+(\S+)", said) for share in (50, 99)}
    if rate is None or count is None or count[1] == "0" or at[50] is None or at[99] is None:
        raise NotRun(f"no request was answered ({' '.join(said.split())[-120:]})")
    failed = re.findall(r"Socket errors: (.*)|Non-2xx or 3xx responses: (.*)", said)
    errors = sum(int(n) for pair in failed for n in re.findall(r"\d+", "".join(pair)))
    tail = re.search(r"p99.9 (\d+) us", said)  # of a script
    return Load(
        int(count[1]), float(rate[1]), errors, milliseconds(at[50][1]), milliseconds(at[99][1]), float(tail[1]) / 1e3 if tail else None
    )


def h2load(url: str, connections: int, streams: int, seconds: float, folder: pathlib.Path) -> Load:
    """HTTP/2 over TLS, so many streams at a time on each connection."""
    log = folder / "h2load.tsv"
    log.unlink(missing_ok=True)
    said, cores = said_by(
        ["h2load", "-t1", f"-c{connections}", f"-m{streams}", "-D", str(max(1, round(seconds))), f"--log-file={log}", url], seconds
    )
    load = parse_h2load(said, log.read_text())
    load.cores = cores
    return load


def parse_h2load(said: str, log: str) -> Load:
    """log has a line for each request: when it began, its status, the microseconds it took."""
    rate, protocol = re.search(r"finished in \S+, ([\d.]+) req/s", said), re.search(r"Application protocol: (\S+)", said)
    counts = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored", said)
    if rate is None or counts is None or counts[2] == "0":
        raise NotRun(f"no request was answered ({' '.join(said.split())[-120:]})")
    if protocol is None or protocol[1] != "h2":
        raise NotRun(f"the server chose {protocol[1] if protocol else 'nothing'} and not h2")
    took = sorted(int(line.split()[2]) for line in log.splitlines())
    p50, p99, p999 = (took[max(0, -(-len(took) * share // 1000) - 1)] / 1e3 for share in (500, 990, 999))
    return Load(int(counts[2]), float(rate[1]), int(counts[3]) + int(counts[4]), p50, p99, p999)


def fixed_rate(address: str, rate: float, seconds: float, options: list[str], on_calm: Callable[[], None] | None = None) -> tuple[Load, list[Any]]:
    """Requests at a fixed rate by bench/load; latencies count from when a request was due. Of several phases
    the load is that of the last; what was measured of each is returned too."""

    def line(text: str) -> None:
        if text == "calm\n" and on_calm is not None:
            on_calm()

    said, cores = said_by([str(LOAD), "http", "-rate", str(rate), "-seconds", str(seconds), *options, address], seconds, line)
    report = json.loads(said.splitlines()[-1])
    last = report["phases"][-1]
    answered = sum(phase[kind]["count"] for phase in report["phases"] for kind in ("fast", "slow"))
    if not answered:
        raise NotRun(f"no request was answered: {', '.join(last['errors'])[:120]}")
    errors = sum(sum(phase["errors"].values()) for phase in report["phases"])
    more = {"retried": float(sum(phase["retried"] for phase in report["phases"]))}
    return Load(answered, answered / report["seconds"], errors, *times(last["fast"]), cores, more), report["phases"]


def websocket(address: str, connections: int, seconds: float) -> Load:
    """One message of 64 bytes on its way at a time on each connection, echoed."""
    said, cores = said_by([str(LOAD), "ws", "-connections", str(connections), "-seconds", str(seconds), address], seconds)
    report = json.loads(said)
    if not report["fast"]["count"]:
        raise NotRun(f"no message came back: {', '.join(report['errors'])[:120]}")
    count = report["fast"]["count"]
    return Load(count, count / report["seconds"], sum(report["errors"].values()), *times(report["fast"]), cores)


def times(summary: dict[str, float]) -> tuple[float, float, float]:
    return summary["p50"] / 1e3, summary["p99"] / 1e3, summary["p999"] / 1e3
