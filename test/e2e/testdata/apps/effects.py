"""Applications that show what settings do. Standard library only."""

import asyncio
import grp
import os

from notes import note

IMPORTED_IN = os.getpid()


def text(start_response, words):
    body = str(words).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def application(environ, start_response):
    """/imported: whether this very process imported the application; /id: user,
    group and supplementary groups; /length: of the body; /stream/MIB; /whole/MIB; /pid."""
    _, word, *rest = environ["PATH_INFO"].split("/")
    if word == "imported":
        return text(start_response, IMPORTED_IN == os.getpid())
    if word == "id":
        groups = sorted(grp.getgrgid(number).gr_name for number in os.getgroups())
        return text(start_response, f"{os.getuid()} {os.getgid()} {','.join(groups)}")
    if word == "length":
        return text(start_response, sum(map(len, environ["wsgi.input"])))
    if word == "whole":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [bytes(int(rest[0]) << 20)]
    if word == "stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (bytes(1 << 20) for _ in range(int(rest[0])))
    return text(start_response, os.getpid())


def anything(*args):
    """Either interface, and nothing tells which."""
    if len(args) == 2:
        return text(args[1], "wsgi")
    return conversation(*args)


async def conversation(scope, receive, send):
    """ASGI: /root, /sleep/NOTE, which takes no notice of its client; echo over WebSocket."""
    if scope["type"] == "websocket":
        return await echo(receive, send)
    if scope["type"] == "lifespan":
        raise NotImplementedError
    _, word, *rest = scope["path"].removeprefix(scope["root_path"]).split("/")
    if word == "sleep":
        note(rest[0], os.getpid())
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            note(rest[0] + "-cancelled", os.getpid())
            raise
    body = scope["root_path"].encode() if word == "root" else b"asgi"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def echo(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def stillborn(scope, receive, send):
    """Fails its startup, if it is asked."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "not today"})
        return
    await conversation(scope, receive, send)
