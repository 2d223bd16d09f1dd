"""What MODULE[:EXPRESSION] may be, without a process."""

import functools
import gc
import os

import pytest

from indrik import load


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("app", load.Spec("app")),
        ("pkg.sub", load.Spec("pkg.sub")),
        ("app:app", load.Spec("app", ("app",))),
        ("app: site.wsgi ", load.Spec("app", ("site", "wsgi"))),
        ("app:make()", load.Spec("app", ("make",), True)),
        (
            "app:a.make(1, 'x', k=[None, True, {'y': -2.5}])",
            load.Spec("app", ("a", "make"), True, (1, "x"), {"k": [None, True, {"y": -2.5}]}),
        ),
    ],
)
def test_parse_reads(text, want):
    assert load.parse(text) == want


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":app",
        "app:",
        "app:1",
        "app:a b",
        "app:a[0]",
        "app:a()()",
        "app:a().b",
        "app:'text'",
        "app:a(b)",
        "app:a(*[1])",
        "app:a(**{})",
        "app:a(__import__('os'))",
        "app:a(f'{1}')",
        "app:lambda: 0",
        "app:a;b",
        "app:a\0",
        "a-b",
        "a..b",
        "../app",
        "app:a(1",
        "app:(a, b)",
        "app:a\nb",
    ],
)
def test_parse_refuses(text):
    """Nothing but names and literals may mean anything: the text is never evaluated."""
    with pytest.raises(load.SpecError):
        load.parse(text)


def test_file_names_get_a_hint():
    """`indrik app.py` is the most frequent slip."""
    for text in ("app.py", "app.py:app", "./app.py", "pkg/app.py"):
        with pytest.raises(load.SpecError, match=r"did you mean '(pkg\.)?app'"):
            load.parse(text)


def test_load_walks_attributes():
    assert load.load("os:path.join") is os.path.join


async def asgi(scope, receive, send): ...


def wsgi(environ, start_response): ...


def passes_on(scope, receive, send):
    return asgi(scope, receive, send)


@functools.wraps(asgi)
def wrapped(*args):
    return asgi(*args)


def any_number(*args): ...


def asgi2(scope): ...


async def with_more(tenant, scope, receive, send): ...


def wsgi_with_more(tenant, environ, start_response): ...


class AsgiObject:
    async def __call__(self, scope, receive, send): ...


class AsgiClass:
    def __init__(self, scope, receive, send): ...

    def __await__(self): ...


class WsgiClass:
    def __init__(self, environ, start_response): ...

    def __iter__(self): ...


class Asgi2Class:
    def __init__(self, scope): ...

    async def __call__(self, receive, send): ...


class WsgiObject:
    def __call__(self, environ, start_response): ...


@pytest.mark.parametrize(
    ("app", "want"),
    [
        *((app, "asgi") for app in (asgi, passes_on, wrapped, AsgiObject(), AsgiObject().__call__, AsgiClass)),
        *((app, "wsgi") for app in (wsgi, WsgiObject(), WsgiObject().__call__, WsgiClass, any_number, max)),
        (functools.partial(asgi), "asgi"),
        (functools.partial(AsgiObject()), "asgi"),
        (functools.partial(with_more, "t"), "asgi"),
        (functools.partial(wsgi_with_more, "t"), "wsgi"),
        (functools.partial(wsgi), "wsgi"),
    ],
)
def test_the_interface_is_recognised(app, want):
    assert load.interface(app) == want


@pytest.mark.parametrize("app", [asgi2, Asgi2Class])
def test_asgi_2_is_refused_by_name(app):
    with pytest.raises(load.SpecError, match="ASGI 2"):
        load.interface(app)


def test_imports_are_not_disturbed_by_the_collector():
    """It looks seldom meanwhile, and as before afterwards, whatever the application raises."""
    usual = gc.get_threshold()
    with pytest.raises(SystemExit), load.Undisturbed():
        assert gc.get_threshold()[0] > 10 * usual[0]
        raise SystemExit
    assert gc.get_threshold() == usual


def test_what_the_application_says_of_the_collector_remains():
    usual = gc.get_threshold()
    try:
        with load.Undisturbed():
            gc.set_threshold(12_345, 6, 7)
        assert gc.get_threshold()[:2] == (12_345, 6)
        gc.set_threshold(0)
        with load.Undisturbed():
            assert gc.get_threshold()[0] == 0, "a collector that is off comes back"
        assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*usual)
