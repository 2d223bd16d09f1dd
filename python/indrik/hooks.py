"""The hooks of gunicorn.conf.py, and what they are called with. Runs in the mold
(those of Gunicorn's arbiter) and in the worker (those of its worker).

The objects have the attributes that hooks in the wild use. They are views: writing
to them changes nothing in the service.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Callable

from . import trouble
from .config import arity

Hook = Callable[..., Any]
Environ = dict[str, Any]

_BOOTING = "[booting]"  # what Gunicorn's pre_fork sees in place of a pid


class HookError(Exception):
    """A hook failed that must not; the text is its traceback."""


def values(plain: dict[str, Any], milliseconds: dict[str, int]) -> dict[str, Any]:
    """Settings as they come in the order to configure, in Gunicorn's types: lengths of
    time become seconds, whole where they are."""
    seconds = {name: ms // 1000 if ms % 1000 == 0 else ms / 1000 for name, ms in milliseconds.items()}
    return {**plain, **seconds}


class Config:
    """server.cfg and worker.cfg: every setting by its name, in the type that
    Gunicorn gives it, and the hooks."""

    def __init__(self, settings: dict[str, Any], hooks: dict[str, Hook]) -> None:
        self.settings = settings
        self._hooks = hooks

    def __getattr__(self, name: str) -> Any:
        for source in (self.__dict__.get("settings", {}), self.__dict__.get("_hooks", {})):
            if name in source:
                return source[name]
        raise AttributeError(f"no setting is called {name!r}")

    @property
    def address(self) -> list[Any]:
        """bind, as Gunicorn splits it: (host, port), or the path of a Unix socket."""
        return [_address(text) for text in self.settings.get("bind", [])]

    @property
    def env(self) -> dict[str, str]:
        """raw_env as a dict."""
        return dict(entry.split("=", 1) for entry in self.settings.get("raw_env", []))

    @property
    def is_ssl(self) -> bool:
        return bool(self.settings.get("certfile") or self.settings.get("keyfile"))

    @property
    def worker_class_str(self) -> str:
        return str(self.settings.get("worker_class", ""))


class Worker:
    """The worker of a hook. pid is a text until it is forked, as in Gunicorn."""

    def __init__(self, age: int, ppid: int, cfg: Config, log: Any) -> None:
        self.age = age
        self.pid: Any = _BOOTING
        self.ppid = ppid
        self.cfg = cfg
        self.log = log
        self.nr = 0
        self.alive = True
        self.booted = False
        self.aborted = False
        self.timeout = (cfg.settings.get("timeout") or 0) / 2
        self.sockets: list[Any] = []  # here the gateway has them
        self.wsgi: Any = None

    def notify(self) -> None:
        """Gunicorn's sign of life; here the worker gives it by itself."""

    def __str__(self) -> str:
        return f"<Worker {self.pid}>"


class Server:
    """The server of a hook: Gunicorn's arbiter. In a worker it is what the mold
    knew when it forked."""

    def __init__(self, cfg: Config, log: Any, app: str) -> None:
        self.cfg = cfg
        self.log = log
        self.app = app
        self.pid = os.getppid()  # the mold is the master's child
        self.WORKERS: dict[int, Worker] = {}
        self.num_workers = int(cfg.settings.get("workers", 1))
        self.worker_age = 0
        self.timeout = cfg.settings.get("timeout")
        self.address = cfg.address
        self.proc_name = cfg.settings.get("proc_name") or app


class Request:
    """The req of pre_request and post_request, made from the environ."""

    def __init__(self, environ: Environ) -> None:
        self.method = environ.get("REQUEST_METHOD", "")
        self.uri = environ.get("RAW_URI", "")
        self.path = self.uri.partition("?")[0]
        self.query = environ.get("QUERY_STRING", "")
        self.fragment = ""
        self.scheme = environ.get("wsgi.url_scheme", "http")
        self.version = _version(environ.get("SERVER_PROTOCOL", ""))
        self.headers = list(_headers(environ))
        self.body = environ.get("wsgi.input")
        self.remote_addr = (environ.get("REMOTE_ADDR", ""), environ.get("REMOTE_PORT", ""))
        self.peer_addr = self.remote_addr


class Response:
    """The resp of post_request."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    @property
    def status_code(self) -> int:
        digits = self.status[:3]
        return int(digits) if digits.isdecimal() else 0


class Hooks:
    """The hooks that a configuration defines, called with what their process knows."""

    def __init__(self, hooks: dict[str, Hook], server: Server) -> None:
        self._hooks = hooks
        self.server = server

    def __contains__(self, name: str) -> bool:
        return name in self._hooks

    def call(self, name: str, *arguments: Any) -> None:
        """Call a hook, if there is one. HookError if it raises."""
        hook = self._hooks.get(name)
        if hook is None:
            return
        try:
            hook(*arguments)
        except (Exception, SystemExit) as error:
            raise HookError(f"the hook {name} failed:\n{trouble.describe(error).rstrip()}") from error

    def call_and_log(self, name: str, *arguments: Any) -> None:
        """Call a hook, if there is one; what it raises is logged, because nothing
        can be undone by it (Gunicorn does the same at these places)."""
        try:
            self.call(name, *arguments)
        except HookError as error:
            self.server.log.error("%s", error)

    # The mold.

    def begin(self, before: int | None) -> None:
        """The service starts, or is reloaded and had so many workers before. HookError
        if it cannot."""
        self.call("nworkers_changed", self.server, self.server.num_workers, before)
        self.call("on_starting" if before is None else "on_reload", self.server)

    def obey(self, order: tuple[Any, ...]) -> bool:
        """Carry out an order of the master about hooks; False if it is none."""
        name, *rest = order
        if name in ("when_ready", "on_exit") and not rest:
            self.call_and_log(name, self.server)
        elif name == "resize" and len(rest) == 1:
            self._resize(rest[0])
        elif name == "reaped" and len(rest) == 1:
            self._lose(rest[0])
        else:
            return False
        return True

    def expect(self) -> Worker:
        """A worker is about to be forked. HookError if pre_fork will not have it."""
        self.server.worker_age += 1
        worker = Worker(self.server.worker_age, self.server.pid, self.server.cfg, self.server.log)
        self.call("pre_fork", self.server, worker)
        return worker

    def forked(self, worker: Worker, pid: int) -> None:
        """The worker exists; in itself too."""
        worker.pid = pid
        self.server.WORKERS[pid] = worker

    def _resize(self, number: int) -> None:
        """Another number of workers is wanted."""
        before, self.server.num_workers = self.server.num_workers, number
        self.call_and_log("nworkers_changed", self.server, number, before)

    def _lose(self, pid: int) -> None:
        """A worker was reaped."""
        worker = self.server.WORKERS.pop(pid, None)
        if worker is not None:
            worker.alive = False
            self.call_and_log("child_exit", self.server, worker)

    # The worker.

    def around(self, worker: Worker, respond: Callable[..., None]) -> Callable[..., None]:
        """respond with pre_request before and post_request after it; respond itself
        if there is neither."""
        if "pre_request" not in self and "post_request" not in self:
            return respond

        before = self._hooks.get("pre_request")
        after = self._hooks.get("post_request")
        count = 4 if after is None else arity(after) or 4

        def watched(app: Callable[..., Any], environ: Environ, *rest: Any) -> None:
            request, response = Request(environ), Response()
            worker.nr += 1

            def call(environ: Environ, start_response: Callable[..., Any]) -> Any:
                def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
                    write = start_response(status, headers, exc_info)
                    response.status, response.headers = status, headers
                    return write

                if before is not None:
                    before(worker, request)
                return app(environ, start)

            try:
                respond(call, environ, *rest)
            finally:
                self.call_and_log("post_request", *(worker, request, environ, response)[:count])

        return watched

    def around_async(self, worker: Worker, app: Callable[..., Any]) -> Callable[..., Any]:
        """app, an ASGI application, with pre_request before and post_request after each
        HTTP request; app itself if there is neither. There is no environ, so
        post_request gets None for it, as in Gunicorn."""
        if "pre_request" not in self and "post_request" not in self:
            return app

        before = self._hooks.get("pre_request")
        after = self._hooks.get("post_request")
        count = 4 if after is None else arity(after) or 4

        async def watched(scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            request, response = Request(_environ(scope)), Response()
            worker.nr += 1

            async def noted(message: dict[str, Any]) -> None:
                await send(message)
                if message["type"] == "http.response.start":
                    response.status = str(message["status"])
                    response.headers = [
                        (n.decode("latin-1"), v.decode("latin-1")) for n, v in message.get("headers", ())
                    ]

            try:
                if before is not None:
                    before(worker, request)
                await app(scope, receive, noted)
            finally:
                self.call_and_log("post_request", *(worker, request, None, response)[:count])

        return watched


def _environ(scope: dict[str, Any]) -> Environ:
    """What Request looks at, from an ASGI scope."""
    query = scope["query_string"].decode("latin-1")
    client = scope.get("client") or ("", "")
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "RAW_URI": scope["raw_path"].decode("latin-1") + ("?" + query if query else ""),
        "QUERY_STRING": query,
        "wsgi.url_scheme": scope["scheme"],
        "SERVER_PROTOCOL": "HTTP/" + scope["http_version"],
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
    }
    for name, value in scope["headers"]:
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


def _address(text: str) -> Any:
    if text.startswith("unix:"):
        return text[len("unix:") :].replace("//", "/", 1) if text.startswith("unix://") else text[len("unix:") :]
    host, _, port = text.removeprefix("tcp://").rpartition(":") if ":" in text else (text, "", "8000")
    return (host.strip("[]") or "0.0.0.0", int(port)) if port.isdecimal() else text


def _version(protocol: str) -> tuple[int, int]:
    digits = protocol.rpartition("/")[2].split(".")
    numbers = [int(part) for part in digits if part.isdecimal()]
    return (numbers[0], numbers[1] if len(numbers) > 1 else 0) if numbers else (1, 1)


def _headers(environ: Environ) -> Iterable[tuple[str, str]]:
    """The header fields, their names in capitals with dashes as in Gunicorn."""
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            yield name[5:].replace("_", "-"), value
        elif name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            yield name.replace("_", "-"), value
