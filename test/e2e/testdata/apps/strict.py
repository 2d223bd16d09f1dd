"""Every way of PEP 3333 to answer, under the eyes of wsgiref.validate."""

from wsgiref.validate import validator

TEXT = [("Content-Type", "text/plain")]


def pieces():
    yield b"one "
    yield b"two"


@validator
def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/empty":
        start_response("204 No Content", [])
        return []
    write = start_response("200 OK", TEXT)
    if path == "/stream":
        return pieces()
    if path == "/write":
        write(b"written ")
        return [b"and returned"]
    if path == "/wrapped":
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    if path == "/raise":
        raise RuntimeError("strictly")
    if path == "/lines":
        return [b"".join(iter(lambda: environ["wsgi.input"].read(1000), b""))]
    if path == "/echo":
        return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))]
    return [b"list"]
