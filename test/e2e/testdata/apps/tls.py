"""Says how it was reached, how long a body was, and sends as much as is asked for."""

import os
import time


def application(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/length":
        total = 0
        while piece := environ["wsgi.input"].read(1 << 16):
            total += len(piece)
        return [b"%d" % total]
    if path.startswith("/bytes/"):
        return pieces(int(path.removeprefix("/bytes/")))
    if path == "/slow":
        time.sleep(0.3)  # for the others to be asked
        with open(os.path.join(os.environ["E2E_NOTES"], "slow"), "w"):
            pass
    return [f"{environ['wsgi.url_scheme']} {environ['SERVER_PROTOCOL']}".encode()]


def pieces(left):
    while left > 0:
        piece = min(left, 1 << 16)
        left -= piece
        yield b"x" * piece
