"""What HTTP can ask of an application and it of HTTP. Standard library only.

Every application here is called through wsgiref.validate, so that the server
breaks no rule of PEP 3333 unseen.
"""

import hashlib
from wsgiref.validate import validator


def echo(environ, start_response):
    """The method, the length and the digest of the body; read in one of several ways."""
    body = environ["wsgi.input"]
    length = int(environ.get("CONTENT_LENGTH") or 0)
    digest, total = hashlib.sha256(), 0
    way = environ["PATH_INFO"]
    if way == "/lines":
        for line in body:
            digest.update(line)
            total += len(line)
    elif way == "/all":
        data = body.read(length + 10)
        digest.update(data)
        total = len(data)
    elif way != "/unread":
        while data := body.read(8192):
            digest.update(data)
            total += len(data)
    text = f"{environ['REQUEST_METHOD']} {length} {total} {digest.hexdigest()[:16]}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]


def stream(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])

    def parts():
        for n in range(5):
            yield b"part %d\n" % n

    return parts()


def known(environ, start_response):
    """A stream that says how long it is."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "35")])
    return (b"part %d\n" % n for n in range(5))


def big(environ, start_response):
    """One finished body of a million bytes."""
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", "1000000")])
    return [b"0123456789" * 100_000]


def written(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"one ")
    write(b"two ")
    return [b"three"]


def nothing(environ, start_response):
    start_response("204 No Content", [("X-Kind", "empty")])
    return []


def unchanged(environ, start_response):
    start_response("304 Not Modified", [("ETag", '"v1"')])
    return []


def header(environ, start_response):
    """What the server made of header fields, path and query."""
    names = ["HTTP_X_ONE", "HTTP_COOKIE", "CONTENT_TYPE", "PATH_INFO", "QUERY_STRING", "SERVER_PROTOCOL", "wsgi.url_scheme"]
    text = "|".join(str(environ.get(name)) for name in names).encode("latin-1")
    start_response(
        "200 OK",
        [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Latin", "caf\xe9")],
    )
    return [text]


def broken(environ, start_response):
    raise ValueError("asked to fail")


_PAGES = {
    "stream": stream,
    "known": known,
    "big": big,
    "written": written,
    "nothing": nothing,
    "unchanged": unchanged,
    "header": header,
    "broken": broken,
}


def _page(environ, start_response):
    word = environ["PATH_INFO"].split("/")[1]
    return _PAGES.get(word, echo)(environ, start_response)


application = validator(_page)
bare = _page
