"""Measures under a steady load: throughput, latency, processor time and memory of a running server."""

from __future__ import annotations

import pathlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import generators
from generators import Load
from processes import NotRun, Server, cpu_between, dial, pss, tree
from servers import Launch, Peer

MB = 1 << 20
BLOCK = bytes(range(256)) * (MB // 256)
Metrics = dict[str, float]


@dataclass(frozen=True)
class Context:
    """One server and one workload, once."""

    peer: Peer
    launch: Launch
    running: Server | None  # None: the measure starts it itself
    front: Server | None  # nginx before it
    address: str  # to which the load goes: the server's or that of the front
    log: pathlib.Path
    path: str
    connections: int
    seconds: float  # of load

    @property
    def server(self) -> Server:
        assert self.running is not None
        return self.running

    @property
    def url(self) -> str:
        return f"{'https' if self.launch.tls else 'http'}://{self.address}{self.path}"


def loaded(c: Context, make: Callable[[float], Load], warm: float = 0.5) -> Metrics:
    """What make's load costs the server, after a warm-up; processor time in µs for a request, by role."""
    if warm:
        make(warm)
    before, front = tree(c.server.pid), tree(c.front.pid) if c.front else {}
    load = make(c.seconds)
    spent = cpu_between(before, tree(c.server.pid), c.server.pid)
    if c.front:
        spent["nginx"] = sum(cpu_between(front, tree(c.front.pid), c.front.pid).values())
    c.server.check()
    each = {f"cpu {what}": seconds / load.requests * 1e6 for what, seconds in spent.items()}
    memory = pss(sorted(tree(c.server.pid))) / MB
    return {**load.metrics(), **each, "cpu": sum(each.values()), "pss": memory}


def many(c: Context) -> Metrics:
    return loaded(c, lambda seconds: generators.wrk(c.url, c.connections, seconds, "tail.lua"))


def post(c: Context) -> Metrics:
    return loaded(c, lambda seconds: generators.wrk(c.url, c.connections, seconds, "post.lua"))


def single_requests(c: Context) -> Metrics:
    return loaded(c, lambda seconds: generators.wrk(c.url, c.connections, seconds, "tail.lua", ("Connection: close",)))


def mixed(c: Context) -> Metrics:
    """At a fixed rate, one request in twenty to /slow."""
    options = ["-connections", str(c.connections), "-slow-every", "20"]
    return loaded(c, lambda seconds: generators.fixed_rate(c.address, 500, seconds, options)[0])


def http2(c: Context) -> Metrics:
    return loaded(c, lambda seconds: generators.h2load(c.url, c.connections, 8, seconds, c.launch.folder))


def echo(c: Context) -> Metrics:
    return loaded(c, lambda seconds: generators.websocket(c.address, c.connections, seconds))


def bulk(c: Context) -> Metrics:
    """100 MB over one connection, again and again for a second; rate in MB/s, processor time in µs for one MB."""
    move(c)
    before = tree(c.server.pid)
    took: list[float] = []
    while sum(took) < 1:
        took.append(move(c))
    spent = cpu_between(before, tree(c.server.pid), c.server.pid)
    each = {f"cpu {what}": seconds / (100 * len(took)) * 1e6 for what, seconds in spent.items()}
    return {"rate": 100 * len(took) / sum(took), "errors": 0.0, **each, "cpu": sum(each.values()), "pss": pss(sorted(tree(c.server.pid))) / MB}


def move(c: Context) -> float:
    """One transfer; the seconds that it took."""
    up = c.path == "/upload"
    method = "GET" if not up else "PUT" if c.peer.family == "static" else "POST"
    length = f"Content-Length: {100 * MB}\r\n" if up else ""
    room, first, got, wanted = memoryview(bytearray(MB)), b"", 0, 1
    with dial(c.address, 30) as s:
        began = time.monotonic()
        try:
            s.sendall(f"{method} {c.path} HTTP/1.1\r\nHost: localhost\r\n{length}Connection: close\r\n\r\n".encode())
            for _ in range(100 if up else 0):
                s.sendall(BLOCK)
            while got < wanted and (n := s.recv_into(room)):
                if got == 0:
                    first = bytes(room[:n])
                    wanted = length_of(first)
                got += n
        except OSError as e:
            raise NotRun(f"the transfer broke after {got} bytes: {e}") from e
        took = time.monotonic() - began
    if not first.startswith(b"HTTP/1.1 2") or (not up and not 100 * MB < wanted <= got):
        raise NotRun(f"{got} bytes came, beginning with {first[:60]!r}")
    return took


def length_of(first: bytes) -> int:
    """How long a response is that begins so, with its head. Its end is not the end of the connection: not every
    server closes that when it is asked to."""
    head, _, _ = first.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length:\s*(\d+)", head)
    return len(head) + 4 + int(length[1] if length else 0)
