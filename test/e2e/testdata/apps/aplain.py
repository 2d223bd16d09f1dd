"""The smallest ASGI application that shows who answers."""

import asyncio
import os
import time

from notes import note


async def application(scope, receive, send):
    """/pid; /wait/NOTE, which waits until its client leaves; hello to all else."""
    if scope["type"] == "lifespan":
        raise NotImplementedError  # it has nothing to do at the start or the end
    _, word, *rest = scope["path"].split("/")
    text = "hello"
    if word == "pid":
        text = str(os.getpid())
    elif word == "block":
        note(rest[0], os.getpid())
        time.sleep(60)  # as no coroutine should
    elif word == "raise":
        raise RuntimeError("as it was asked to")
    elif word == "wait":
        note(rest[0], os.getpid())
        while (await receive())["type"] != "http.disconnect":
            pass
        note(rest[0] + "-left", os.getpid())
        return
    else:
        await asyncio.sleep(0)  # so that requests are in the middle of something together
    body = text.encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
