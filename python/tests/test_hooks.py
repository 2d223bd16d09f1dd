"""What hooks are called with, and what becomes of one that fails."""

from __future__ import annotations

from typing import Any

import pytest

from indrik import hooks


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def error(self, text: str, *arguments: Any) -> None:
        self.lines.append(text % arguments)


def crew(settings: dict[str, Any] | None = None, **defined: Any) -> hooks.Hooks:
    cfg = hooks.Config(settings or {}, defined)
    return hooks.Hooks(defined, hooks.Server(cfg, Log(), "app"))


def test_settings_in_gunicorns_types() -> None:
    values = hooks.values({"workers": 2, "pidfile": None}, {"timeout": 30000, "keepalive": 2500})
    values.update(bind=["127.0.0.1:80", "unix:/a", "[::1]:81"], raw_env=["A=b=c"])
    cfg = hooks.Config(values, {"on_exit": len})
    assert (cfg.workers, cfg.timeout, cfg.keepalive, cfg.pidfile) == (2, 30, 2.5, None)
    assert cfg.address == [("127.0.0.1", 80), "/a", ("::1", 81)]
    assert cfg.env == {"A": "b=c"}
    assert cfg.on_exit is len and not cfg.is_ssl
    with pytest.raises(AttributeError, match="no setting is called 'wrokers'"):
        cfg.wrokers  # noqa: B018 (the access is what is tested)


def test_request() -> None:
    request = hooks.Request(
        {
            "REQUEST_METHOD": "POST",
            "RAW_URI": "/a%20b?x=1",
            "QUERY_STRING": "x=1",
            "SERVER_PROTOCOL": "HTTP/1.0",
            "CONTENT_TYPE": "text/plain",
            "HTTP_X_ONE": "1",
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_PORT": "5",
        }
    )
    assert (request.method, request.uri, request.path, request.query) == ("POST", "/a%20b?x=1", "/a%20b", "x=1")
    assert request.version == (1, 0) and request.remote_addr == ("127.0.0.1", "5")
    assert request.headers == [("CONTENT-TYPE", "text/plain"), ("X-ONE", "1")]


def test_version_of_http2() -> None:
    assert hooks.Request({"SERVER_PROTOCOL": "HTTP/2"}).version == (2, 0)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_post_request_takes_what_it_wants(count: int) -> None:
    seen: list[tuple[Any, ...]] = []
    takers = {
        2: lambda a, b: seen.append((a, b)),
        3: lambda a, b, c: seen.append((a, b, c)),
        4: lambda a, b, c, d: seen.append((a, b, c, d)),
    }
    called = crew(post_request=takers[count])
    worker = called.expect()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("201 Created", [("A", "b")])
        return [b""]

    def respond(app: Any, environ: Any) -> None:
        app(environ, lambda status, headers, exc_info=None: None)

    called.around(worker, respond)(app, {"RAW_URI": "/"})
    assert len(seen) == 1 and len(seen[0]) == count
    assert seen[0][0] is worker and worker.nr == 1
    if count == 4:
        assert (seen[0][3].status, seen[0][3].status_code, seen[0][3].headers) == ("201 Created", 201, [("A", "b")])


def test_without_hooks_nothing_is_in_the_way() -> None:
    def respond(*anything: Any) -> None: ...

    called = crew()
    assert called.around(called.expect(), respond) is respond


def test_pre_request_fails_the_request_and_post_request_follows() -> None:
    def refuse(worker: Any, request: Any) -> None:
        raise ValueError("not this one")

    after: list[Any] = []
    called = crew(pre_request=refuse, post_request=lambda worker, request: after.append(request))

    def respond(app: Any, environ: Any) -> None:
        app(environ, None)

    with pytest.raises(ValueError, match="not this one"):
        called.around(called.expect(), respond)(None, {})
    assert len(after) == 1


def test_asgi() -> None:
    import asyncio

    seen: list[tuple[Any, ...]] = []
    called = crew(
        pre_request=lambda worker, request: seen.append(
            (request.method, request.uri, request.headers, request.version)
        ),
        post_request=lambda worker, request, environ, resp: seen.append((environ, resp.status_code, resp.headers)),
    )

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": [(b"a", b"b")]})

    async def send(message: Any) -> None: ...

    scope = {
        "type": "http",
        "method": "GET",
        "raw_path": b"/a%20b",
        "query_string": b"x=1",
        "scheme": "http",
        "http_version": "1.1",
        "client": ("127.0.0.1", 5),
        "headers": [(b"content-type", b"text/plain"), (b"x-one", b"1"), (b"x-one", b"2")],
    }
    worker = called.expect()
    watched = called.around_async(worker, app)
    asyncio.run(watched(scope, None, send))
    asyncio.run(watched({"type": "websocket"}, None, send))
    assert seen == [
        ("GET", "/a%20b?x=1", [("CONTENT-TYPE", "text/plain"), ("X-ONE", "1,2")], (1, 1)),
        (None, 204, [("a", "b")]),
    ]
    assert worker.nr == 1
    assert crew().around_async(worker, app) is app


def test_failures() -> None:
    def fail(*anything: Any) -> None:
        raise RuntimeError("no")

    called = crew(on_exit=fail, pre_fork=fail, on_starting=fail, child_exit=fail)
    with pytest.raises(hooks.HookError, match=r"(?s)the hook pre_fork failed:.*RuntimeError: no"):
        called.expect()
    with pytest.raises(hooks.HookError, match="on_starting"):
        called.begin(None)
    assert called.obey(("on_exit",))
    assert called.server.log.lines[0].startswith("the hook on_exit failed:\nTraceback")


def test_workers_come_and_go() -> None:
    gone: list[int] = []
    sizes: list[tuple[Any, ...]] = []
    called = crew(
        {"workers": 2},
        child_exit=lambda server, worker: gone.append(worker.pid),
        nworkers_changed=lambda server, new, old: sizes.append((new, old)),
    )
    called.begin(None)
    worker = called.expect()
    assert worker.pid == "[booting]" and worker.age == 1
    called.forked(worker, 77)
    assert {77: worker} == called.server.WORKERS
    assert called.obey(("reaped", 77)) and called.obey(("reaped", 78))
    assert called.server.WORKERS == {} and gone == [77] and not worker.alive
    assert called.obey(("resize", 5))
    assert sizes == [(2, None), (5, 2)] and called.server.num_workers == 5
    assert not called.obey(("nonsense",)) and not called.obey(("reaped",))


def test_a_reload_calls_on_reload_and_not_on_starting() -> None:
    seen: list[tuple[Any, ...]] = []
    called = crew(
        on_starting=lambda server: seen.append(("on_starting",)),
        on_reload=lambda server: seen.append(("on_reload",)),
        nworkers_changed=lambda server, new, old: seen.append(("nworkers_changed", new, old)),
    )
    called.begin(3)
    assert seen == [("nworkers_changed", called.server.num_workers, 3), ("on_reload",)]
