"""The scope of an HTTP request, of the values that the gateway sends. Runs in an asgi
worker, after the fork.
"""

from __future__ import annotations

from typing import Any

Scope = dict[str, Any]


def http(values: tuple[Any, ...]) -> Scope:
    """The scope but for state; docs/protocol.md, "Lane", has the values. ValueError if they are
    others. Nothing in it is shared with another request's."""
    version, method, scheme, root, path, raw_path, query, client, server, headers, able = values
    extensions: dict[str, dict[str, Any]]
    if able == 1:
        extensions = {"http.response.pathsend": {}, "http.response.early_hint": {}}
    elif able == 0:
        extensions = {"http.response.pathsend": {}}
    elif able == 2:
        extensions = {"http.response.pathsend": {}, "http.response.early_hint": {}, "http.response.trailers": {}}
    else:
        raise ValueError(f"a client that can take {able!r:.20}")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": version,
        "method": method,
        "scheme": scheme,
        "root_path": root,
        "path": path,
        "raw_path": raw_path,
        "query_string": query,
        "client": client,
        "server": server,
        "headers": headers,
        "extensions": extensions,
    }
