"""The applications of the benchmarks: one for each thing that is measured."""

import os


def hello(environ, start_response):
    body = b"Hello, world!\n"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


async def hello_asgi(scope, receive, send):
    assert scope["type"] == "http"
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"14")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"Hello, world!\n"})


def large(environ, start_response):
    """Hello, and at /large more than the sockets on the way will hold (bench/slow.py)."""
    if environ["PATH_INFO"] != "/large":
        return hello(environ, start_response)
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(1 << 20))])
    return [bytes(1 << 20)]


def bulk(environ, start_response):
    """A gigabyte up or down, in the ways that applications do it (bench/bulk.py)."""
    path, size = environ["PATH_INFO"], int(os.environ["BULK_SIZE"])
    if path == "/read":
        source, got = environ["wsgi.input"], 0
        while block := source.read(1 << 20):
            got += len(block)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{got}\n".encode()]
    if path == "/":
        return hello(environ, start_response)
    headers = [("Content-Type", "application/octet-stream")]
    if path != "/chunked":
        headers.append(("Content-Length", str(size)))
    start_response("200 OK", headers)
    if path == "/file":
        return environ["wsgi.file_wrapper"](open(os.environ["BULK_FILE"], "rb"))
    block = bytes(64 << 10)
    return (block for _ in range(size // len(block)))
