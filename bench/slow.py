"""What clients that attack by slowness cost the others.

slowhttptest (Debian) opens its connections in one of its three modes: heads
that never end (-H), bodies that never end (-B), responses that are hardly
read (-X). wrk measures the latency of ordinary requests alone and beside them,
in turns, because figures of a busy machine drift; the medians of the rounds are
compared.

    .venv/bin/python bench/slow.py [--rounds 3] [--seconds 5] [--slow 500] [--at-most 1.2]

wrk, slowhttptest and Indrik share the machine, and slowhttptest's processor time
is printed. So is the gateway's for each request of wrk, which depends little on
what else the machine does. Exit status 1 if the mean or the 99th percentile has
risen beyond --at-most times, if a request failed, or if fewer slow clients than
--slow were connected during a run.
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from bulk import roles
from cpu import stat
from hello import ROOT, wait_until_serving

MODES = {
    "heads": ["-H", "-i", "2", "-u", "/"],
    "bodies": ["-B", "-i", "2", "-s", "65000", "-u", "/"],
    "reading": ["-X", "-n", "2", "-z", "16", "-w", "64", "-y", "512", "-u", "/large"],
}
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}  # in ms


@dataclass
class Latency:
    """What wrk said of one side, in milliseconds, round by round."""

    mean: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # of the gateway for a request, in µs
    attacker: list[float] = field(default_factory=list)  # processors that slowhttptest took


def milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()  # type: ignore[union-attr]
    return float(number) * UNITS[unit]


def spent(pid: int) -> float:
    """Processor seconds of a process."""
    _, _, user, system = stat(pid)
    return user + system


def load(args: argparse.Namespace, gateway: int, into: Latency) -> int:
    """One run of wrk; returns the requests that failed."""
    before = spent(gateway)
    said = subprocess.run(
        ["wrk", "-t1", f"-c{args.connections}", f"-d{args.seconds}s", "--latency", f"http://127.0.0.1:{args.port}/"],
        check=True, capture_output=True, text=True,
    ).stdout
    mean, p99 = re.search(r"(?m)^\s+Latency\s+(\S+)", said), re.search(r"(?m)^\s+99%\s+(\S+)", said)
    count = re.search(r"(\d+) requests in", said)
    if mean is None or p99 is None or count is None or count[1] == "0":
        sys.exit(f"wrk said:\n{said}")
    into.cpu.append((spent(gateway) - before) / int(count[1]) * 1e6)
    into.mean.append(milliseconds(mean[1]))
    into.p99.append(milliseconds(p99[1]))
    return sum(int(n) for line in re.findall(r"Socket errors: (.*)|Non-2xx or 3xx responses: (.*)", said) for n in re.findall(r"\d+", "".join(line)))


def established(port: int) -> int:
    """Connections to the port, as its server sees them (proc(5), /proc/net/tcp)."""
    local, state = f":{port:04X}", "01"
    rows = (row.split() for row in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(row[1].endswith(local) and row[3] == state for row in rows)


@contextlib.contextmanager
def attack(mode: str, args: argparse.Namespace) -> Iterator[int]:
    """All slow clients are connected in between, and still are at its end. Gives
    slowhttptest's process id."""
    *options, path = MODES[mode]
    command = ["slowhttptest", *options, f"http://127.0.0.1:{args.port}{path}", "-c", str(args.slow), "-r", str(args.slow), "-p", "5"]
    process = subprocess.Popen([*command, "-l", str(args.seconds + 60)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        limit = time.monotonic() + 20
        while established(args.port) < args.slow:
            if time.monotonic() > limit or process.poll() is not None:
                sys.exit(f"{mode}: {established(args.port)} of {args.slow} slow clients are connected")
            time.sleep(0.1)
        # What they asked for must be made once: that is the application's time.
        wait_until_serving(args.port, process)
        yield process.pid
        if (left := established(args.port)) < args.slow:
            sys.exit(f"{mode}: {left} of {args.slow} slow clients are left")
    finally:
        process.terminate()
        process.wait()
    while established(args.port):
        time.sleep(0.1)  # those that it left behind are closed by the server


def compare(mode: str, args: argparse.Namespace, gateway: int) -> bool:
    """Measure one mode; reports whether the others noticed too much."""
    alone, beside, failed = Latency(), Latency(), 0
    for _ in range(args.rounds):
        failed += load(args, gateway, alone)
        with attack(mode, args) as pid:
            began, before = time.monotonic(), spent(pid)
            failed += load(args, gateway, beside)
            beside.attacker.append((spent(pid) - before) / (time.monotonic() - began))
    bad = failed > 0
    for name, a, b in ("mean", alone.mean, beside.mean), ("p99", alone.p99, beside.p99):
        ratio = statistics.median(b) / statistics.median(a)
        bad = bad or ratio > args.at_most
        print(
            f"slow {mode:8s} {name:5s} alone {statistics.median(a):7.2f} ms   beside {args.slow} slow clients "
            f"{statistics.median(b):7.2f} ms   ratio {ratio:4.2f}   (rounds: {rounds(a)} / {rounds(b)})"
        )
    cpu = [statistics.median(side.cpu) for side in (alone, beside)]
    print(f"slow {mode:8s} gateway's processor time for a request: alone {cpu[0]:.1f} µs, beside them {cpu[1]:.1f} µs")
    print(f"slow {mode:8s} slowhttptest took {statistics.median(beside.attacker):.2f} processors; requests that failed: {failed}", flush=True)
    return bad


def rounds(figures: list[float]) -> str:
    return " ".join(f"{f:.2f}" for f in figures)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modes", nargs="*", metavar="MODE", help=f"{', '.join(MODES)}; all of them if none is named")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16, help="of wrk")
    parser.add_argument("--slow", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--port", type=int, default=18099)
    parser.add_argument("--at-most", type=float, default=1.2, help="the ratio above which the exit status is 1")
    args = parser.parse_args()
    if unknown := set(args.modes) - set(MODES):
        parser.error(f"no mode: {', '.join(unknown)}")
    if shutil.which("slowhttptest") is None:
        sys.exit("slowhttptest is not installed; test/install does it")
    given = ["--chdir", str(ROOT / "bench"), "-w", str(args.workers), "-b", f"127.0.0.1:{args.port}", "--python", sys.executable]
    process = subprocess.Popen([str(ROOT / "bin/indrik"), *given, "--log-level", "error", "app:large"])
    try:
        wait_until_serving(args.port, process)
        gateway = roles(process)["gateway"]
        load(args, gateway, Latency())  # warm
        worse = [compare(mode, args, gateway) for mode in args.modes or MODES]
    finally:
        process.terminate()
        process.wait(timeout=60)
    return 1 if any(worse) else 0


if __name__ == "__main__":
    sys.exit(main())
