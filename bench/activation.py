#!/usr/bin/env python3
"""How long the first client waits: from its connection, which starts the service, to its answer.

    activation.py [--rounds N] [--python PATH] [--binary PATH] [APP [OPTION...]]

systemd-socket-activate(1) plays systemd: it holds the socket and executes Indrik with
the first connection. So its own share, some milliseconds of fork and exec, is in the
figure, as systemd's would be. Each round is a service of its own, ended by TERM. The
disk cache is warm. What an application takes for its imports comes on top of what is
measured with the default one, which imports nothing.
"""

from __future__ import annotations

import argparse
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "6")])
    return [b"hello\\n"]
"""
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
LIMIT = 60  # seconds for any single wait


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--python", default=str(ROOT / ".venv/bin/python"))
    parser.add_argument("--binary", default=str(ROOT / "bin/indrik"))
    parser.add_argument("app", nargs="?", default="hello:app")
    parser.add_argument("option", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    if shutil.which("systemd-socket-activate") is None:
        print("systemd-socket-activate is not installed; it comes with systemd", file=sys.stderr)
        return 1
    if not pathlib.Path(args.binary).exists():
        print(f"{args.binary} is not there; make build makes it", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as directory:
        pathlib.Path(directory, "hello.py").write_text(APP)
        command = [args.binary, "--python", args.python, "--pythonpath", directory, *args.option, args.app]
        first = [activate(command, pathlib.Path(directory, f"{n}.sock")) for n in range(args.rounds)]
    report(first)
    return 0


def activate(command: list[str], path: pathlib.Path) -> float:
    """Seconds from connecting to the whole answer."""
    server = subprocess.Popen(
        ["systemd-socket-activate", f"--listen={path}", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        listening(server, path)
        begin = time.perf_counter()
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(LIMIT)
            client.connect(str(path))
            client.sendall(REQUEST)
            answer = b""
            while piece := client.recv(65536):
                answer += piece
        taken = time.perf_counter() - begin
    finally:
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=LIMIT)
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(f"no answer of 200: {answer[:200]!r}\n{said}")
    return taken


def listening(server: subprocess.Popen[str], path: pathlib.Path) -> None:
    """Waits without connecting, which would start the service."""
    limit = time.monotonic() + LIMIT
    while not path.exists():
        if server.poll() is not None or time.monotonic() > limit:
            raise SystemExit(f"systemd-socket-activate does not listen: {server.stderr.read() if server.stderr else ''}")
        time.sleep(0.005)


def report(seconds: list[float]) -> None:
    ms = sorted(1000 * s for s in seconds)
    print(f"from connection to answer, {len(ms)} starts: median {statistics.median(ms):.0f} ms, least {ms[0]:.0f}, most {ms[-1]:.0f}")


if __name__ == "__main__":
    sys.exit(main())
