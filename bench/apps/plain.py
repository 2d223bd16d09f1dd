"""The application without a framework, for WSGI and for ASGI: one path for each thing that is measured."""

import asyncio
import os
import time

HELLO = b"Hello, world!\n"
BODIES = {"/": HELLO, "/10k": b"x" * 10_240, "/100k": b"x" * 102_400, "/1m": bytes(1 << 20)}
BLOCK = bytes(64 << 10)
BLOCKS = 1600  # 100 MB
SLEEPS = {"/io": 0.010, "/slow": 0.100}  # seconds


def wsgi(environ, start_response):
    path = environ["PATH_INFO"]
    body = BODIES.get(path)
    if body is None:
        return WSGI_PATHS[path](environ, start_response)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def whole(start_response, body):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def sleep(environ, start_response):
    time.sleep(SLEEPS[environ["PATH_INFO"]])
    return whole(start_response, HELLO)


def pid(environ, start_response):
    return whole(start_response, str(os.getpid()).encode())


def echo(environ, start_response):
    return whole(start_response, environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))


def upload(environ, start_response):
    got, left = 0, int(environ["CONTENT_LENGTH"])
    while got < left and (block := environ["wsgi.input"].read(min(left - got, len(BLOCK)))):
        got += len(block)
    return whole(start_response, str(got).encode())


def download(environ, start_response):
    length = str(len(BLOCK) * BLOCKS)
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", length)])
    return (BLOCK for _ in range(BLOCKS))


WSGI_PATHS = {
    "/io": sleep, "/slow": sleep, "/pid": pid, "/echo": echo, "/upload": upload, "/download": download,
}  # fmt: skip


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        await OTHER_SCOPES[scope["type"]](receive, send)
        return
    path = scope["path"]
    body = BODIES.get(path)
    if body is None:
        if path == "/upload":
            body = str(await received(receive, keep=None)).encode()
        elif path == "/echo":
            parts = []
            await received(receive, parts)
            body = b"".join(parts)
        elif path == "/pid":
            body = str(os.getpid()).encode()
        elif path == "/download":
            await downloaded(send)
            return
        else:
            await asyncio.sleep(SLEEPS[path])
            body = HELLO
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def received(receive, keep):
    """The length of the body; its parts are added to keep."""
    got = 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        got += len(part)
        if keep is not None:
            keep.append(part)
        if not message.get("more_body"):
            return got


async def downloaded(send):
    length = b"%d" % (len(BLOCK) * BLOCKS)
    headers = [(b"content-type", b"application/octet-stream"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for n in range(BLOCKS):
        await send({"type": "http.response.body", "body": BLOCK, "more_body": n < BLOCKS - 1})


async def lifespan(receive, send):
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


async def websocket(receive, send):
    while True:
        message = await receive()
        kind = message["type"]
        if kind == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif kind == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        else:
            return


OTHER_SCOPES = {"lifespan": lifespan, "websocket": websocket}
