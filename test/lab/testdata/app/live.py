"""An ASGI application with what lasts: a request of ten seconds, and a WebSocket that says who answers."""

import asyncio
import os

from version import VERSION


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["type"] == "http":
        if scope["path"] == "/long":
            print("long request begun", flush=True)
            await asyncio.sleep(10)
        body = VERSION.encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})
    else:
        raise NotImplementedError


async def echo(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": f"{message['text']} {VERSION} {os.getpid()}"})
