"""Requests whose bodies are read as they arrive, and hints ahead of responses."""

import hashlib

from notes import note

TEXT = [("Content-Type", "text/plain")]


def application(environ, start_response):
    path, source = environ["PATH_INFO"], environ["wsgi.input"]
    if path == "/digest":
        digest = hashlib.sha256()
        while block := source.read(100_001):
            digest.update(block)
        body = digest.hexdigest()
    elif path == "/line":
        body = source.readline().decode()
        note("line", len(body))
        body += source.readline().decode()
    elif path == "/hints":
        environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
        body = "hinted"
    else:
        body = "unread"
    start_response("200 OK", TEXT)
    return [body.encode()]
