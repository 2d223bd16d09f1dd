"""A WSGI application of which a test makes new versions; version.py stands beside it."""

from version import VERSION


def app(environ, start_response):
    answers = {
        "/": lambda: "hello",
        "/version": lambda: VERSION,
        "/software": lambda: environ["SERVER_SOFTWARE"],
        "/length": lambda: str(len(environ["wsgi.input"].read())),
    }
    body = answers[environ["PATH_INFO"]]().encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
