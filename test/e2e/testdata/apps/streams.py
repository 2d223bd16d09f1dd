"""Bodies made piece by piece, which leave notes of how far they got."""

import os
import tempfile
import time

from notes import note

MEGA = b"x" * (1 << 20)


class Body:
    """An iterable whose close() is noted."""

    def __init__(self, name, parts):
        self.name, self.parts = name, parts

    def __iter__(self):
        return iter(self.parts)

    def close(self):
        note(f"{self.name}-closed")


def wait_for(name):
    path = os.path.join(os.environ["E2E_NOTES"], name)
    deadline = time.monotonic() + 20
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise TimeoutError(name)
        time.sleep(0.002)


def two():
    """The second part is not made before the test has seen the first."""
    yield b"first"
    wait_for("go")
    yield b"second"


def endless():
    """Megabytes without end; the note says how many were made."""
    made = 0
    while True:
        made += 1
        note("made", made)
        yield MEGA


def failing():
    yield b"a" * 1000
    wait_for("go")
    raise RuntimeError("in the middle")


def large(size):
    for _ in range(size >> 20):
        yield MEGA


def application(environ, start_response):
    _, word, *rest = environ["PATH_INFO"].split("/")
    headers = [("Content-Type", "application/octet-stream")]
    if word == "upload":
        return upload(environ, start_response)
    if word == "file":
        # As frameworks do: the file itself, through the server's wrapper.
        size = int(rest[0]) << 20
        file = tempfile.TemporaryFile()
        file.truncate(size)
        start_response("200 OK", headers + [("Content-Length", str(size))])
        return environ["wsgi.file_wrapper"](file)
    if word == "fail-before":
        start_response("200 OK", headers)
        return Body(word, before())
    if word == "fail-known":
        start_response("200 OK", headers + [("Content-Length", "2000")])
        return Body(word, failing())
    parts = {
        "two": two,
        "endless": endless,
        "fail": failing,
        "empty": lambda: iter(()),
        "list": lambda: [b"whole", b" list"],
        "large": lambda: large(int(rest[0]) << 20),
    }[word]()
    start_response("200 OK", headers)
    return Body(word, parts)


def before():
    raise RuntimeError("before the first part")
    yield b""


def upload(environ, start_response):
    total = 0
    while data := environ["wsgi.input"].read(1 << 16):
        total += len(data)
    text = str(total).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
