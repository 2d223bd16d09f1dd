"""The pages of development: what they show, and that nothing in them is run."""

from __future__ import annotations

import re

from indrik import tracebacks

EVIL = "</pre><script>alert(1)</script>\"'&"


def shown(error: BaseException, accept: str = "text/html,*/*") -> tuple[dict[str, str], str]:
    headers, body = tracebacks.for_wsgi({"REQUEST_METHOD": "GET", "RAW_URI": "/a?<b>", "HTTP_ACCEPT": accept}, error)
    found = dict(headers)
    assert int(found["Content-Length"]) == len(body)
    return found, body.decode()


def raised(depth: int = 0) -> None:
    if depth:
        raised(depth - 1)
    secret = "a local" + " value"  # must not be shown by its value
    raise ValueError(EVIL, secret[:1])


def caught(depth: int = 0) -> ValueError:
    try:
        raised(depth)
    except ValueError as error:
        return error
    raise AssertionError


def test_the_page_names_the_line_and_shows_its_source() -> None:
    headers, text = shown(caught())
    assert headers["Content-Type"].startswith("text/html")
    line = raised.__code__.co_firstlineno + 4
    assert f"{__file__}, line {line}, in <code>raised</code>" in text
    assert re.search(rf"<b><i>{line}</i> *raise ValueError\(EVIL, secret\[:1\]\)</b>", text)
    assert "GET /a?&lt;b&gt;" in text
    assert "a local value" not in text


def test_nothing_in_it_is_markup_or_run() -> None:
    headers, text = shown(caught())
    assert "<script" not in text and "</pre><s" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_who_accepts_no_html_gets_text() -> None:
    for accept in ("", "*/*", "application/json"):
        headers, text = shown(caught(), accept)
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
        assert text.startswith("Traceback (most recent call last):\n") and "ValueError" in text.splitlines()[-1]


def test_errors_that_came_of_others() -> None:
    def fails() -> None:
        try:
            raised()
        except ValueError as first:
            try:
                raise KeyError("second") from first
            except KeyError:
                raise RuntimeError("third")  # noqa: B904 (the point of it)

    try:
        fails()
    except RuntimeError as error:
        _, text = shown(error)
    heads = re.findall(r"<h1><small>(.*?)</small>(\w+)", text)
    assert heads == [
        ("GET /a?&lt;b&gt;", "RuntimeError"),
        ("It happened while this was handled", "KeyError"),
        ("The cause was", "ValueError"),
    ]


def test_a_deep_recursion_is_cut() -> None:
    _, text = shown(caught(300))
    assert text.count("<details") == 40
    assert "… 262 more …" in text
    assert len(text) < 200_000


def test_an_error_that_cannot_say_what_it_is() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    try:
        exec(compile("raise Mute('\\udc80')", "<made up \udc80>", "exec"), {"Mute": Mute})
    except Mute as error:
        _, text = shown(error)
    assert "Mute" in text and "&lt;made up " in text


def test_asgi_headers_are_bytes() -> None:
    scope = {"method": "GET", "raw_path": b"/a", "query_string": b"x=1", "headers": [(b"accept", b"text/html")]}
    headers, body = tracebacks.for_asgi(scope, caught())
    assert (b"content-length", b"%d" % len(body)) in headers
    assert b"GET /a?x=1" in body
