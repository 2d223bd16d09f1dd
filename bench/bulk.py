"""One gigabyte up and one down, through an application and through nginx.

nginx does the same to and from a file: PUT of its dav module, and a static
file. One client on loopback moves the bytes, so its own cost is part of every
figure; nginx and Indrik take turns. For Indrik's gateway and worker the peak of
their resident memory during the transfer is printed, and by how much it grew.

    .venv/bin/python bench/bulk.py [--size 1024] [--rounds 3] [--at-least 0.5] [--grow 64]

Exit status 1 if a median is below --at-least times nginx's, or if a process
grew by more than --grow MB.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

from cpu import tree
from hello import ROOT, wait_until_serving

MB = 1 << 20
BLOCK = bytes(range(256)) * (MB // 256)

NGINX = """
daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log; {user}
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on; client_max_body_size 0; client_body_temp_path {dir}/temp;
  proxy_temp_path {dir}/t1; fastcgi_temp_path {dir}/t2; uwsgi_temp_path {dir}/t3; scgi_temp_path {dir}/t4;
  server {{ listen 127.0.0.1:{port}; root {dir}/files; location / {{ dav_methods PUT; }} }}
}}
"""


@dataclass
class Case:
    """One way to move the bytes, and what was measured of it."""

    name: str
    server: str  # "nginx" or options of Indrik
    request: str
    upload: bool
    rates: list[float] = field(default_factory=list)
    peaks: dict[str, tuple[int, int]] = field(default_factory=dict)  # role: MB, MB grown


def cases(size: int) -> list[Case]:
    length = f"Content-Length: {size}\r\n"
    return [
        Case("nginx, PUT to a file", "nginx", f"PUT /up HTTP/1.1\r\n{length}", True),
        Case("upload, buffered", "--request-buffering on", f"POST /read HTTP/1.1\r\n{length}", True),
        Case("upload, read as it arrives", "--request-buffering off", f"POST /read HTTP/1.1\r\n{length}", True),
        Case("nginx, static file", "nginx", "GET /down HTTP/1.1\r\n", False),
        Case("download, wsgi.file_wrapper", "", "GET /file HTTP/1.1\r\n", False),
        Case("download, generator with length", "", "GET /length HTTP/1.1\r\n", False),
        Case("download, generator in chunks", "", "GET /chunked HTTP/1.1\r\n", False),
    ]


def move(port: int, case: Case, size: int) -> float:
    """Make the request; returns the seconds it took. Exits if it went wrong."""
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.settimeout(120)
        began = time.monotonic()
        s.sendall(f"{case.request}Host: x\r\nConnection: close\r\n\r\n".encode())
        if case.upload:
            for _ in range(size // MB):
                s.sendall(BLOCK)
        got, first, room = 0, b"", memoryview(bytearray(MB))
        while n := s.recv_into(room):
            first = first or bytes(room[:n])
            got += n
        took = time.monotonic() - began
    if not first.startswith(b"HTTP/1.1 2") or not case.upload and got < size:
        sys.exit(f"{case.name}: {got} bytes came, beginning with {first[:200]!r}")
    return took


def wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    sys.exit(f"{process.args} does not listen")


def resident(pid: int, what: str) -> int:
    """A line of /proc/pid/status in bytes: VmHWM (the peak) or VmRSS."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.partition(f"{what}:")[2].split()[0]) << 10


def roles(process: subprocess.Popen[bytes]) -> dict[str, int]:
    """Gateway and worker of a running Indrik."""
    names = {pid: spent.name for pid, spent in tree(process.pid).items() if pid != process.pid}
    gateway = next(pid for pid, name in names.items() if name.startswith("indrik-gate"))
    worker = next(pid for pid, name in names.items() if name.startswith("indrik-w") or "worker" in name)
    return {"gateway": gateway, "worker": worker}


def measure(case: Case, command: list[str], port: int, size: int) -> None:
    process = subprocess.Popen(command)
    try:
        wait_until_listening(port, process)
        watched = {}
        if case.server != "nginx":
            wait_until_serving(port, process)
            watched = roles(process)
        before = {}
        for role, pid in watched.items():
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew (proc(5))
            before[role] = resident(pid, "VmRSS")
        case.rates.append(size / MB / move(port, case, size))
        for role, pid in watched.items():
            peak = resident(pid, "VmHWM")
            worst = max((peak, peak - before[role]), case.peaks.get(role, (0, 0)))
            case.peaks[role] = worst
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=40)


def command_of(case: Case, folder: str, port: int) -> list[str]:
    if case.server == "nginx":
        user = "user root;" if os.geteuid() == 0 else ""
        conf = pathlib.Path(folder, "nginx.conf")
        conf.write_text(NGINX.format(dir=folder, port=port, user=user))
        return ["nginx", "-c", str(conf)]
    common = ["--chdir", str(ROOT / "bench"), "-w", "1", "-b", f"127.0.0.1:{port}", "--python", sys.executable]
    return [str(ROOT / "bin/indrik"), *common, "--tmp-upload-dir", folder, *case.server.split(), "app:bulk"]


def verdict(all_cases: list[Case], at_least: float, grow: int) -> int:
    """Print the table; 1 if something is below the bar."""
    failed, bar = 0, 0.0
    for case in all_cases:
        rate = statistics.median(case.rates)
        if case.server == "nginx":
            bar = rate
            print(f"{case.name:34s} {rate:7.0f} MB/s")
            continue
        memory = ", ".join(f"{role} peak {p / MB:.0f} MB (+{g / MB:.0f})" for role, (p, g) in case.peaks.items())
        print(f"{case.name:34s} {rate:7.0f} MB/s  {rate / bar:4.2f} of nginx  {memory}")
        if rate < at_least * bar or any(g > grow * MB for _, g in case.peaks.values()):
            failed = 1
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024, help="MB to move")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-least", type=float, default=0.5)
    parser.add_argument("--grow", type=int, default=64, help="MB by which a process may grow")
    parser.add_argument("--port", type=int, default=18099)
    args = parser.parse_args()
    size = args.size * MB
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(f"{folder}/files")
        with open(f"{folder}/files/down", "wb") as f:
            f.writelines(BLOCK for _ in range(args.size))
        os.environ.update(BULK_FILE=f"{folder}/files/down", BULK_SIZE=str(size))
        all_cases = cases(size)
        for _ in range(args.rounds):
            for case in all_cases:
                measure(case, command_of(case, folder, args.port), args.port, size)
        return verdict(all_cases, args.at_least, args.grow)


if __name__ == "__main__":
    sys.exit(main())
