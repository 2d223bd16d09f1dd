"""Development: the page that a client is shown of an exception, with the source text of its
frames. Runs in the worker, after the fork; only `indrik dev` turns it on, no setting does.

The page is text: it runs nothing, neither here nor in the browser, whose own rules
(Content-Security-Policy) hold it to that. Values of variables are not in it.
"""

from __future__ import annotations

import html
import linecache
import os
import traceback
from collections.abc import Iterator
from typing import Any

from . import trouble

Headers = list[tuple[str, str]]

_AROUND = 4  # lines of source text before and after the one that was executed
_FRAMES = 40  # of an exception that are shown: the outermost and the innermost half
_ERRORS = 8  # of a chain
_WIDEST = 200  # characters of a line
_LIBRARY = os.path.join(os.path.dirname(os.__file__), "")  # Python's own
_STYLE = """
:root{color-scheme:light dark;--faint:#8888;--mark:#f802}
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem;overflow-wrap:anywhere}h1 small{display:block;font-weight:normal;opacity:.7}
pre,code{font:13px/1.5 ui-monospace,monospace}
pre{overflow-x:auto;margin:.3rem 0;padding:.4rem 0;border:1px solid var(--faint)}
details{margin:.6rem 0}summary{cursor:pointer;overflow-wrap:anywhere}
i{font-style:normal;opacity:.5;display:inline-block;width:4em;text-align:right;margin-right:1em;user-select:none}
b{font-weight:inherit;background:var(--mark);display:block}
"""


def for_wsgi(environ: dict[str, Any], error: BaseException) -> tuple[Headers, bytes]:
    """Headers and body for an error of a WSGI application."""
    return page(error, f"{environ.get('REQUEST_METHOD')} {environ.get('RAW_URI')}", environ.get("HTTP_ACCEPT", ""))


def for_asgi(scope: dict[str, Any], error: BaseException) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The same for an ASGI application."""
    accept = next((value for name, value in scope.get("headers", ()) if name == b"accept"), b"")
    path, query = scope.get("raw_path") or b"", scope.get("query_string")
    target = (path + b"?" + query if query else path).decode("latin-1")
    headers, body = page(error, f"{scope.get('method')} {target}", accept.decode("latin-1"))
    return [(name.lower().encode(), text.encode()) for name, text in headers], body


def page(error: BaseException, asked: str, accept: str) -> tuple[Headers, bytes]:
    """Headers and body for an error: HTML if accept, the request's field, has that, else
    the traceback as plain text. asked is the request, as method and target."""
    if "text/html" not in accept:
        return _response("text/plain", trouble.describe(error))
    return _response("text/html", "".join(_document(error, asked)))


def _response(kind: str, text: str) -> tuple[Headers, bytes]:
    body = text.encode(errors="backslashreplace")
    return [
        ("Content-Type", f"{kind}; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
        ("X-Content-Type-Options", "nosniff"),
    ], body


def _document(error: BaseException, asked: str) -> Iterator[str]:
    title = html.escape(trouble.one_line(error))
    yield f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f"<style>{_STYLE}</style></head>\n<body>\n"
    chain = list(_chain(traceback.TracebackException.from_exception(error)))
    for number, (one, words) in enumerate(chain):
        kind, _, said = "".join(one.format_exception_only()).strip().partition(": ")
        small = html.escape(asked) if not number else words
        yield f"<h1><small>{small}</small>{html.escape(kind)}{': ' if said else ''}{html.escape(said[:2000])}</h1>\n"
        yield from _frames(trouble.theirs(one.stack) or list(one.stack))
    yield f"<h2>As text</h2>\n<pre>{html.escape(trouble.limited(trouble.describe(error)))}</pre>\n"
    yield "<p>This page is for development. A service answers “Internal Server Error”.</p>\n</body></html>\n"


def _chain(error: traceback.TracebackException) -> Iterator[tuple[traceback.TracebackException, str]]:
    """The error, and behind it those that it came of, each with how."""
    words, one = "", error
    for _ in range(_ERRORS):
        yield one, words
        if one.__cause__ is not None:
            words, one = "The cause was", one.__cause__
        elif one.__context__ is not None and not one.__suppress_context__:
            words, one = "It happened while this was handled", one.__context__
        else:
            return


def _frames(frames: list[traceback.FrameSummary]) -> Iterator[str]:
    left_out = len(frames) - _FRAMES
    for number, frame in enumerate(frames):
        if left_out > 0 and _FRAMES // 2 <= number < _FRAMES // 2 + left_out:
            if number == _FRAMES // 2:
                yield f"<p>… {left_out} more …</p>\n"
            continue
        shown = " open" if number == len(frames) - 1 or not _library(frame.filename) else ""
        where = f"{html.escape(frame.filename)}, line {frame.lineno}, in <code>{html.escape(frame.name)}</code>"
        yield f"<details{shown}><summary>{where}</summary><pre>{''.join(_source(frame))}</pre></details>\n"


def _source(frame: traceback.FrameSummary) -> Iterator[str]:
    line = frame.lineno or 0
    linecache.checkcache(frame.filename)
    for number in range(max(line - _AROUND, 1), line + _AROUND + 1):
        text = linecache.getline(frame.filename, number)  # empty only where the file has ended
        if text or number == line:
            shown = f"<i>{number}</i>{html.escape(text.rstrip()[:_WIDEST])}"
            yield f"<b>{shown}</b>" if number == line else shown + "\n"


def _library(path: str) -> bool:
    """Whether a file is none of the application's own."""
    installed = any(f"{os.sep}{name}-packages{os.sep}" in path for name in ("site", "dist"))
    return installed or path.startswith((_LIBRARY, "<frozen "))
