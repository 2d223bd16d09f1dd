"""What ten thousand connections that say nothing cost the gateway.

Opens them from this process on loopback, after a warm-up, and compares the
gateway's proportional set size (proc(5), smaps_rollup) before and after. What
the kernel keeps for a socket is in no process's memory and not counted. Each
kind of connection has a server of its own:

    idle       has had a response and is kept alive
    handshake  the same over TLS
    head       has sent half a request head
    body       has sent a head that declares 4096 bytes, and one of them
    chunked    has sent the head of a chunked body, and its first byte

    .venv/bin/python bench/idle.py [--connections 10000] [--at-most 4096] [KIND …]

--at-most is in bytes for each idle connection; above it the exit status is 1.
Needs as many open files as connections, twice: once here and once in the gateway.
"""

from __future__ import annotations

import argparse
import pathlib
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

from bulk import roles
from hello import ROOT, wait_until_serving

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
KINDS = {
    "idle": GET,
    "handshake": GET,
    "head": GET[:24],
    "body": POST + b"Content-Length: 4096\r\n\r\nx",
    "chunked": POST + b"Transfer-Encoding: chunked\r\n\r\n400\r\nx",
}
ANSWERED = ("idle", "handshake")


def pss(pid: int) -> int:
    """The proportional set size of a process, in bytes."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(text.partition("\nPss:")[2].split()[0]) << 10


def settled(pid: int) -> int:
    """The same once it has stayed within a percent for a second, or after ten:
    a garbage collection may still be giving memory back, and the figure is then
    on the high side."""
    last, since = pss(pid), time.monotonic()
    end = since + 10
    while time.monotonic() < min(since + 1, end):
        time.sleep(0.1)
        if abs((now := pss(pid)) - last) > last // 100:
            last, since = now, time.monotonic()
    return last


def dial(port: int, kind: str, context: ssl.SSLContext | None) -> socket.socket:
    """A connection of this kind; it is answered already if it ever will be."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=30)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or a handshake's end and a request wait for each other
    client = context.wrap_socket(plain) if context else plain
    client.sendall(KINDS[kind])
    got = b""
    while kind in ANSWERED and not got.endswith(b"world!\n"):
        if not (more := client.recv(4096)):
            sys.exit(f"{kind}: closed after {got!r}")
        got += more
    return client


def command(kind: str, port: int, folder: str) -> list[str]:
    """Indrik, with nothing that would end such connections meanwhile."""
    given = ["--chdir", str(ROOT / "bench"), "-w", "1", "-b", f"127.0.0.1:{port}", "--python", sys.executable]
    patient = ["--keep-alive", "3600", "--client-timeout", "3600", "--min-body-rate", "0"]
    secure = ["--certfile", f"{folder}/cert.pem", "--keyfile", f"{folder}/key.pem"] if kind == "handshake" else []
    return [str(ROOT / "bin/indrik"), *given, *patient, *secure, "app:hello"]


def certificate(folder: str) -> None:
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    subprocess.run(
        [*made, "-subj", "/CN=localhost", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
        check=True, capture_output=True,
    )


def measure(kind: str, args: argparse.Namespace, folder: str) -> float:
    """Bytes of the gateway for each connection of the kind."""
    context = None
    if kind == "handshake":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    process = subprocess.Popen(command(kind, args.port, folder))
    clients = []
    try:
        if context is None:
            wait_until_serving(args.port, process)
        else:
            wait_until_secure(args.port, context)
        gateway = roles(process)["gateway"]
        for _ in range(100):  # what the first requests need once
            dial(args.port, kind, context).close()
        before = settled(gateway)
        clients = [dial(args.port, kind, context) for _ in range(args.connections)]
        after = settled(gateway)
    finally:
        for client in clients:
            client.close()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=40)
    each = (after - before) / args.connections
    print(f"{kind:10s} {args.connections:6d} connections: {before >> 10:6d} KB before, {after >> 10:7d} KB with them, {each:7.0f} bytes each", flush=True)
    return each


def wait_until_secure(port: int, context: ssl.SSLContext) -> None:
    for _ in range(400):
        try:
            dial(port, "handshake", context).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("no response over TLS within 20 s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="of connection; all of them if none is named")
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--at-most", type=int, default=4096)
    parser.add_argument("--port", type=int, default=18099)
    args = parser.parse_args()
    if unknown := set(args.kinds) - set(KINDS):
        parser.error(f"no kind of connection: {', '.join(unknown)}")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard * 7 // 8 < args.connections:
        sys.exit(f"{args.connections} connections need more than the {hard} open files that are allowed (ulimit -Hn)")
    with tempfile.TemporaryDirectory() as folder:
        certificate(folder)
        each = {kind: measure(kind, args, folder) for kind in args.kinds or KINDS}
    return 1 if each.get("idle", 0) > args.at_most else 0


if __name__ == "__main__":
    sys.exit(main())
