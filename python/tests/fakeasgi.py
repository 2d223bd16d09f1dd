"""The gateway's part for asgi workers: scopes, and requests on a worker's own lane."""

from __future__ import annotations

import os
import socket
from typing import Any

from fakemaster import Answer, Master, Worker, send


def on_the_wire(scope: dict[str, Any]) -> Any:
    """The scope as the gateway sends it: of a request its values only."""
    if scope["type"] != "http":
        return scope
    able = ["http.response.pathsend", "http.response.early_hint", "http.response.trailers"]
    values = {**scope, "extensions": able.index(list(scope["extensions"])[-1])}
    assert (values.pop("type"), values.pop("asgi")["spec_version"]) == ("http", "2.5")
    keys = "http_version method scheme root_path path raw_path query_string client server headers extensions"
    return tuple(values.pop(key) for key in keys.split()) if len(values) == 11 else scope


def scope(**more: Any) -> dict[str, Any]:
    """A scope as gateway/scope.go writes it."""
    base = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "root_path": "",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "client": ("127.0.0.1", 4000),
        "server": ("127.0.0.1", 8000),
        "headers": [(b"host", b"localhost")],
        "extensions": {
            "http.response.pathsend": {},
            "http.response.early_hint": {},
            "http.response.trailers": {},
        },
    }
    return {**base, **more}


class Shop:
    """A master with one asgi worker that plays any application of the gallery."""

    def __init__(self, app: str = "asgi_gallery:shop", quiet: bool = True, **options: Any) -> None:
        options = {"worker_class": "asgi", "asgi_loop": "asyncio", **options}
        self.master = Master(app, options=options, quiet=quiet)
        self.worker: Worker

    def __enter__(self) -> Shop:
        self.master.__enter__()
        try:
            assert self.master.configure()[0] == "configured"
            self.worker = self.master.spawn()
            fact = self.worker.fact()
            assert fact == ("ready", "asgi", 1000, True), fact
        except BaseException as error:
            self.master.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind: Any, error: Any, tb: Any) -> None:
        self.master.__exit__(kind, error, tb)

    def ask(self, app: str, body: Any = b"", fd: int = -1, loop: int = 0, **more: Any) -> int:
        """Send a request; with fd, body is None or the declared length. Returns its id."""
        number = self.master.next_id(loop)
        assert self.worker.own is not None
        if fd >= 0:
            self.master.beside[number] = os.dup(fd)
        send(self.worker.own, (number, on_the_wire(scope(query_string=app.encode(), **more)), body))
        if fd >= 0:
            self.master.hand(number)
        return number

    def get(self, app: str, body: Any = b"", fd: int = -1, **more: Any) -> Answer:
        return self.answer(self.ask(app, body, fd, **more))

    def answer(self, number: int) -> Answer:
        return self.master.answer(self.worker, number)

    def left(self, number: int) -> None:
        """Say that the client of a request left."""
        assert self.worker.own is not None
        send(self.worker.own, (number, None, None))

    def upload(self, app: str, length: int, **more: Any) -> tuple[int, socket.socket]:
        """A request whose body is read as it arrives: its id and the gateway's end."""
        ours, theirs = socket.socketpair()
        ours.settimeout(20)
        with theirs:
            return self.ask(app, length, theirs.fileno(), **more), ours

    def retire(self) -> int:
        """Close the lane; the exit status."""
        assert self.worker.own is not None
        self.worker.own.close()
        return self.worker.wait()

    def fds(self) -> int:
        return len(os.listdir(f"/proc/{self.worker.pid}/fd"))
