"""The application of test/chaos, as WSGI (application) and as ASGI (asgi).

Before it does anything for a request it writes the request's name and its own process
number to the file CHAOS_NOTES: so it is known from outside which process held what.
"""

import asyncio
import ctypes
import hashlib
import os
import signal
import sys
import time

NOTES = os.open(os.environ["CHAOS_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
CHUNKS = 8

kept = []


def begun(name):
    os.write(NOTES, f"{name} {os.getpid()}\n".encode())


def spin(seconds):
    """Hang in Python."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)


def native(seconds):
    """Hang in C, with the interpreter's lock held."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {61})
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))


def leak(megabytes):
    kept.append(b"x" * int(megabytes * (1 << 20)))


def orphan(seconds):
    """Leave a process behind. It must not run a greenlet of ours: the sleep is libc's."""
    if os.fork() == 0:
        ctypes.PyDLL(None).sleep(int(seconds))
        os._exit(0)


def flood(lines):
    for _ in range(int(lines)):
        print("flood " + "x" * 90, file=sys.stderr)


def leave(status):
    os._exit(int(status))


def fault(_):
    os.kill(os.getpid(), signal.SIGSEGV)


DEEDS = {deed.__name__: deed for deed in (spin, native, leak, orphan, flood, leave, fault)}


def parse(path):
    """(word, amount, name of the request) of /WORD/AMOUNT/NAME."""
    _, word, amount, name = path.split("/")
    return word, float(amount), name


def chunks(name, pause):
    for n in range(CHUNKS):
        time.sleep(pause)
        yield f"{name} {n}\n".encode()


def application(environ, start_response):
    word, amount, name = parse(environ["PATH_INFO"])
    begun(name)
    if word == "stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return chunks(name, amount)
    text = name
    if word == "upload":
        text += " " + hashlib.sha256(environ["wsgi.input"].read()).hexdigest()
    elif word == "large":
        text += "x" * int(amount)
    elif word in DEEDS:
        DEEDS[word](amount)
    else:
        time.sleep(amount)
    body = text.encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


async def upload(receive):
    seen = hashlib.sha256()
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return ""
        seen.update(event.get("body", b""))
        if not event.get("more_body"):
            return seen.hexdigest()


async def converse(scope, receive, send):
    """Echo; the first message says who does it."""
    _, _, name = parse(scope["path"])
    begun(name)
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": str(os.getpid())})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event["text"]})


async def stream(send, name, pause):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    for n in range(CHUNKS):
        await asyncio.sleep(pause)
        await send({"type": "http.response.body", "body": f"{name} {n}\n".encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    if scope["type"] == "websocket":
        return await converse(scope, receive, send)
    word, amount, name = parse(scope["path"])
    begun(name)
    if word == "stream":
        return await stream(send, name, amount)
    text = name
    if word == "upload":
        text += " " + await upload(receive)
    elif word == "large":
        text += "x" * int(amount)
    elif word == "spin":
        await asyncio.sleep(amount)
    elif word in DEEDS:
        DEEDS[word](amount)
    else:
        await asyncio.sleep(amount)
    body = text.encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
