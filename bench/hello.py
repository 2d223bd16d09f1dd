"""Hello world through Indrik and through gunicorn, in one run.

Both serve the same application with the same number of workers on loopback,
one after the other, in several interleaved rounds; wrk makes the load on the
same machine, so its own share of the processors is part of every figure. What
counts is the ratio of the medians: absolute figures differ between machines
and between hours.

    .venv/bin/python bench/hello.py [--rounds 3] [--seconds 5] [--at-least 4]

Exit status 1 if the ratio is below --at-least or any request failed.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent


@dataclass
class Server:
    """A server under test and what was measured of it."""

    name: str
    command: list[str]
    rates: list[float] = field(default_factory=list)
    latencies: list[str] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    errors: int = 0


def servers(port: int, workers: int) -> list[Server]:
    bind = f"127.0.0.1:{port}"
    common = ["--chdir", str(ROOT / "bench"), "-w", str(workers), "-b", bind]
    return [
        Server("indrik", [str(ROOT / "bin/indrik"), *common, "--python", sys.executable, "app:hello"]),
        Server("gunicorn sync", [sys.executable, "-m", "gunicorn", *common, "--log-level", "warning", "app:hello"]),
    ]


def class_servers(port: int, workers: int) -> list[Server]:
    """Indrik with each worker class, on the plain applications; asgi with both loops."""
    common = [str(ROOT / "bin/indrik"), "--chdir", str(ROOT / "bench"), "-w", str(workers), "-b", f"127.0.0.1:{port}"]
    common += ["--python", sys.executable]
    kinds = {
        "sync": ["app:hello"],
        "gthread": ["--threads", "4", "app:hello"],
        "gevent": ["-k", "gevent", "app:hello"],
        "eventlet": ["-k", "eventlet", "app:hello"],
        "asgi asyncio": ["--asgi-loop", "asyncio", "app:hello_asgi"],
        "asgi uvloop": ["--asgi-loop", "uvloop", "app:hello_asgi"],
    }
    return [Server(f"indrik {kind}", [*common, *rest]) for kind, rest in kinds.items()]


def asgi_servers(port: int, workers: int) -> list[Server]:
    """The same for ASGI, against uvicorn with its fastest parts (uvloop, httptools)."""
    here, n = str(ROOT / "bench"), str(workers)
    indrik = [str(ROOT / "bin/indrik"), "--chdir", here, "-w", n, "-b", f"127.0.0.1:{port}", "--python", sys.executable]
    uvicorn = [sys.executable, "-m", "uvicorn", "--app-dir", here, "--workers", n, "--port", str(port)]
    fastest = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return [
        Server("indrik asgi", [*indrik, "app:hello_asgi"]),
        Server("uvicorn", [*uvicorn, *fastest, "app:hello_asgi"]),
    ]


def wait_until_serving(port: int, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        if process.poll() is not None:
            sys.exit(f"{process.args!r} ended with status {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as s:
                s.sendall(b"GET / HTTP/1.0\r\n\r\n")
                if s.recv(12).endswith(b" 200"):
                    return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{process.args!r} did not serve within 20 s")


def load(port: int, connections: int, seconds: int) -> tuple[float, str, int]:
    """One run of wrk: requests per second, p99, failed requests."""
    said = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}/"],
        check=True, capture_output=True, text=True,
    ).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    p99 = re.search(r"(?m)^\s+99%\s+(\S+)", said)
    if rate is None or p99 is None:
        sys.exit(f"wrk said:\n{said}")
    failed = sum(int(n) for line in re.findall(r"(?:Socket errors|Non-2xx).*", said) for n in re.findall(r"\d+", line.replace("2xx or 3xx", "")))
    return float(rate[1]), p99[1], failed


def round_of(server: Server, args: argparse.Namespace) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(server.command)
    try:
        wait_until_serving(args.port, process)
        load(args.port, args.connections, 1)  # warm
        rate, p99, failed = load(args.port, args.connections, args.seconds)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=40)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    server.rates.append(rate)
    server.latencies.append(p99)
    server.errors += failed
    server.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"  {server.name:15s} {rate:10,.0f} req/s   p99 {p99:>9s}   failed {failed}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--port", type=int, default=18099)
    parser.add_argument("--at-least", type=float, default=0, help="the ratio below which the exit status is 1")
    args = parser.parse_args()
    compared = servers(args.port, args.workers)
    for n in range(args.rounds):
        print(f"round {n + 1} of {args.rounds}: wrk -t1 -c{args.connections} -d{args.seconds}s, {args.workers} workers", flush=True)
        for server in compared:
            round_of(server, args)
    ours, theirs = (statistics.median(s.rates) for s in compared)
    print(f"\nmedian: indrik {ours:,.0f}, gunicorn sync {theirs:,.0f} requests/s: ratio {ours / theirs:.2f}")
    failed = sum(s.errors for s in compared if s.name == "indrik")
    if failed:
        print(f"{failed} requests to indrik failed")
    return 1 if failed or ours / theirs < args.at_least else 0


if __name__ == "__main__":
    sys.exit(main())
