"""An application of every worker class that misbehaves as its path says."""

import asyncio
import ctypes
import os
import signal
import sys
import time

kept = []
requests = 0


def spin(seconds):
    """Take long, in Python."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
    return "done"


def stubborn(seconds):
    """Take long, whatever is raised."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            time.sleep(0.01)
        except BaseException:
            pass
    return "done"


def native(seconds):
    """Take long in C, with the interpreter's lock held and deaf to polite signals."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {61})
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))
    return "done"


def leak(megabytes):
    kept.append(b"x" * int(megabytes * (1 << 20)))
    return str(os.getpid())


def forks(seconds):
    """Leave a child behind."""
    child = os.fork()
    if child == 0:
        time.sleep(seconds)
        os._exit(0)
    return str(child)


def floods(lines):
    for _ in range(int(lines)):
        print("x" * 100, file=sys.stderr)
    return "done"


def closes(first):
    """Close descriptors that are not its own."""
    os.closerange(int(first), 1024)
    return "done"


def exits(status):
    os._exit(int(status))


def third(_):
    """Die on every third request."""
    global requests
    requests += 1
    if requests == 3:
        os.abort()
    return "done"


def hello(_):
    return "hello"


def pid(_):
    return str(os.getpid())


DEEDS = {deed.__name__: deed for deed in (spin, stubborn, native, leak, forks, floods, closes, exits, third, hello, pid)}


def application(environ, start_response):
    _, word, *rest = environ["PATH_INFO"].split("/")
    body = DEEDS[word or "hello"](float(rest[0]) if rest else 0).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


async def spin_task(seconds):
    await asyncio.sleep(seconds)
    return "done"


async def stubborn_task(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            pass
    return "done"


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    _, word, *rest = scope["path"].split("/")
    amount = float(rest[0]) if rest else 0
    tasks = {"spin": spin_task, "stubborn": stubborn_task}
    text = await tasks[word](amount) if word in tasks else DEEDS[word or "hello"](amount)
    body = text.encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
