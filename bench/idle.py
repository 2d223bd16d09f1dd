"""What connections that say nothing cost: how the memory of all processes of a server grows for each.

What the kernel keeps for a socket is in no process's memory and not counted.
Needs as many open files as connections, here and in the server.
"""

from __future__ import annotations

import resource
import select
import socket
import ssl
import time
from collections.abc import Callable

from measures import MB, Context, Metrics
from processes import NotRun, dial, pss, roles, tree

CONNECTIONS = 10_000
LIMIT = 90.0  # seconds until all of them must be there
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
Dial = Callable[[str], socket.socket]


def kept(c: Context) -> Metrics:
    """Has had a response."""
    return grown(c, lambda address: answered(dial(address, 10)))


def shaken(c: Context) -> Metrics:
    """Has had a response over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return grown(c, lambda address: answered(context.wrap_socket(quick(dial(address, 30)))))


def half_head(c: Context) -> Metrics:
    return grown(c, lambda address: after(dial(address, 30), GET[:24]))


def half_body(c: Context) -> Metrics:
    return grown(c, lambda address: after(dial(address, 30), POST + b"Content-Length: 4096\r\n\r\nx"))


def chunked(c: Context) -> Metrics:
    return grown(c, lambda address: after(dial(address, 30), POST + b"Transfer-Encoding: chunked\r\n\r\n400\r\nx"))


def grown(c: Context, connect: Dial) -> Metrics:
    """Bytes for a connection."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit < CONNECTIONS + 500:
        raise NotRun(f"{CONNECTIONS} connections need more than the {limit} open files that are allowed (ulimit -Hn)")
    clients: list[socket.socket] = []
    try:
        for _ in range(100):  # what the first requests need once
            clients.append(connect(c.address))
        before = settled(c.server.pid)
        end = time.monotonic() + LIMIT
        while len(clients) < CONNECTIONS + 100:
            clients.append(connect(c.address))
            if time.monotonic() > end:
                raise NotRun(f"only {len(clients)} connections were served within {LIMIT:.0f} s")
        after = settled(c.server.pid)
        if closed := len(ended(clients)):
            raise NotRun(f"{closed} of the {len(clients)} connections were closed meanwhile")
        parts = {f"pss {what}": pss(pids) / MB for what, pids in roles(c.server.pid).items()}
    finally:
        for client in clients:
            client.close()
    return {"bytes": (after - before) / CONNECTIONS, "errors": 0.0, "pss": after / MB, **parts}


def quick(client: socket.socket) -> socket.socket:
    """Without Nagle's delay: a handshake's end and a request would wait for each other."""
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def after(client: socket.socket, said: bytes) -> socket.socket:
    client.sendall(said)
    return client


def answered(client: socket.socket) -> socket.socket:
    client.sendall(GET)
    got = b""
    while not got.endswith(b"world!\n"):
        if not (more := client.recv(4096)):
            raise NotRun(f"a connection was closed after {got[:60]!r}")
        got += more
    return client


def ended(clients: list[socket.socket]) -> list[int]:
    """Descriptors of those that the server has closed."""
    poll = select.poll()
    for client in clients:
        poll.register(client, select.POLLRDHUP)
    return [descriptor for descriptor, _ in poll.poll(0)]


def settled(pid: int) -> int:
    """The memory of all its processes once it has stayed within a percent for half a second, or after five: a garbage
    collection may still be giving memory back, and the figure is then on the high side."""
    last, since = pss(sorted(tree(pid))), time.monotonic()
    end = since + 5
    while time.monotonic() < min(since + 0.5, end):
        time.sleep(0.1)
        if abs((now := pss(sorted(tree(pid)))) - last) > last // 100:
            last, since = now, time.monotonic()
    return last
