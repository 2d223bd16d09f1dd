"""The order of a run: rounds, in each of them every server, on each start of it every workload that fits that start."""

from __future__ import annotations

import pathlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from measures import Context
from processes import NotRun, Server
from results import Result, Row
from servers import APPS, PEERS, Launch, nginx_with
from workloads import Workload

START_COSTS = 1.5  # seconds that starting and stopping a server takes, for the estimate
UWSGI_PARAMETERS = (
    "QUERY_STRING $query_string", "REQUEST_METHOD $request_method", "CONTENT_TYPE $content_type", "CONTENT_LENGTH $content_length",
    "REQUEST_URI $request_uri", "PATH_INFO $document_uri", "SERVER_PROTOCOL $server_protocol", "REMOTE_ADDR $remote_addr",
    "SERVER_NAME $server_name", "SERVER_PORT $server_port",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    workloads: tuple[Workload, ...]
    peers: tuple[str, ...]
    rounds: int | None  # None: each workload's own
    seconds: float | None
    port: int  # the first of those that are used

    def rounds_of(self, workload: Workload) -> int:
        return self.rounds or workload.rounds

    def seconds_of(self, workload: Workload) -> float:
        return self.seconds if self.seconds and workload.seconds else workload.seconds


@dataclass(frozen=True)
class Start:
    """One start of a server and what is measured on it."""

    round: int
    server: str
    workloads: tuple[Workload, ...]


def starts(options: Options) -> Iterator[Start]:
    for n in range(1, max(map(options.rounds_of, options.workloads)) + 1):
        same: dict[tuple[object, ...], list[Workload]] = {}
        for workload in options.workloads:
            for server in workload.servers:
                if server in options.peers and n <= options.rounds_of(workload):
                    same.setdefault(workload.launch(server), []).append(workload)
        for key, workloads in same.items():
            yield Start(n, str(key[0]), tuple(workloads))


def cost(start: Start, options: Options) -> float:
    return START_COSTS + sum(options.seconds_of(w) + w.takes for w in start.workloads)


def estimate(options: Options) -> float:
    """Seconds that a run will take, roughly."""
    return sum(cost(start, options) for start in starts(options))


def certificate(folder: pathlib.Path) -> None:
    """cert.pem and key.pem for localhost; if there is no openssl, the servers that need them say that."""
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    named = ["-subj", "/CN=localhost", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
    try:
        subprocess.run([*made, *named], check=True, capture_output=True)
    except FileNotFoundError:
        pass


class Progress:
    """Says what was measured, and how long the rest will take at the pace until now."""

    def __init__(self, total: float) -> None:
        self.total, self.done, self.began = total, 0.0, time.monotonic()

    def left(self) -> str:
        spent = time.monotonic() - self.began
        pace = spent / self.done if self.done else 1.0
        seconds = max(0.0, self.total - self.done) * pace
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"

    def say(self, workload: Workload, row: Row) -> None:
        what = f"not run: {row.not_run}" if row.not_run else line(workload, row.metrics)
        print(f"[{self.left():>5s} left] round {row.round}  {workload.name:10s} {row.server:17s} {what}", flush=True)


def line(workload: Workload, metrics: dict[str, float]) -> str:
    """The figures of one row in short."""
    said = [f"{metrics[workload.metric]:12,.1f} {workload.unit}"]
    said += [f"p99 {metrics['p99']:.2f} ms"] if "p99" in metrics else []
    said += [f"{metrics['cpu']:.1f} µs"] if "cpu" in metrics else []
    said += [f"generator {metrics['generator']:.2f}"] if "generator" in metrics else []
    said += [f"ERRORS {metrics['errors']:.0f}"] if metrics.get("errors") else []
    return "  ".join(said)


def run(options: Options, folder: pathlib.Path, result: Result) -> None:
    """Measure everything into result. What a server fails is a row of it."""
    progress = Progress(estimate(options))
    print(f"about {progress.left()} minutes", flush=True)
    for n, start in enumerate(starts(options)):
        place = folder / str(n)
        place.mkdir()
        for name in ("cert.pem", "key.pem"):
            if (folder / name).exists():
                (place / name).symlink_to(folder / name)
        rows: list[Row] = []
        left = list(start.workloads)
        while left:
            left = measure(start, left, options, options.port + 4 * (n % 250), place, rows)
        for workload, row in zip(start.workloads, rows, strict=True):
            progress.say(workload, row)
        result.rows += rows
        progress.done += cost(start, options)


def measure(start: Start, workloads: list[Workload], options: Options, port: int, folder: pathlib.Path, rows: list[Row]) -> list[Workload]:
    """One start of the server. Adds a row for each workload until one fails, since the server may be unwell
    then, and returns those that are left for another start."""
    workload = workloads[0]
    peer = PEERS[start.server]
    address = f"unix:{folder}/s" if workload.unix else f"127.0.0.1:{port}"
    to = workload.fits(Launch(address, folder))
    log, server, front = folder / "log", None, None
    try:
        if workload.starts:
            server = Server(peer.command(to), APPS, log)
            server.wait_until_serving(address, accepts_only=workload.tls or workload.unix)
        if workload.unix:
            address = f"127.0.0.1:{port + 1}"
            front = Server(nginx_before(to, start.server, address), APPS, folder / "front.log")
            front.wait_until_serving(address)
        while workloads:
            workload = workloads[0]
            context = Context(peer, to, server, front, address, log, workload.path, workload.connections, options.seconds_of(workload))
            metrics = workload.measure(context)
            rows.append(Row(workload.name, start.server, start.round, metrics))
            workloads = workloads[1:]
    except (NotRun, OSError, subprocess.SubprocessError, KeyError, ValueError) as e:
        rows.append(Row(workload.name, start.server, start.round, not_run=str(e) or type(e).__name__))
        workloads = workloads[1:]
    finally:
        for process in (front, server):
            if process is not None:
                process.stop()
    return workloads


def nginx_before(to: Launch, server: str, address: str) -> list[str]:
    """nginx before the Unix socket of a server, with connections kept between them."""
    if server == "uwsgi":
        passed = "uwsgi_pass app; " + " ".join(f"uwsgi_param {parameter};" for parameter in UWSGI_PARAMETERS)
        kept = ""
    else:
        passed = 'proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";'
        kept = "keepalive 64;"
    return nginx_with(to, f"upstream app {{ server {to.address}; {kept} }} server {{ listen {address}; location / {{ {passed} }} }}")
