"""An application of the gallery that shows its environment."""

import os


def application(environ, start_response):
    words = environ["PATH_INFO"].strip("/").split("/")
    if words[0] == "fail":
        raise RuntimeError("failed on purpose")
    body = " ".join(str(os.environ.get(word, "none")) for word in words).encode()
    if words[0] == "length":
        body = str(len(environ["wsgi.input"].read())).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), ("X-Made", "yes")])
    return [body]


def make(name):
    os.environ["MADE_FOR"] = name
    return application
