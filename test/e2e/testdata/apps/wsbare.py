"""A WebSocket application without a framework: an echo that also does what its path says."""

import asyncio


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        assert (await receive())["type"] == "lifespan.startup"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"hello"})
        return
    assert (await receive())["type"] == "websocket.connect"
    if scope["path"] == "/declined":
        return await send({"type": "websocket.close"})
    if scope["path"] == "/denied":
        await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-why", b"no")]})
        return await send({"type": "websocket.http.response.body", "body": b"who are you?"})
    chosen = "v2" if "v2" in scope["subprotocols"] else None
    headers = [(b"x-scheme", scope["scheme"].encode())]
    await send({"type": "websocket.accept", "subprotocol": chosen, "headers": headers})
    if scope["path"] == "/floods":
        for i in range(2000):
            await send({"type": "websocket.send", "bytes": i.to_bytes(4, "big") * 8000})
        return await send({"type": "websocket.close", "code": 4001, "reason": "all said"})
    if scope["path"] == "/slow":
        await asyncio.sleep(1)
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
    if scope["path"] == "/late":
        await asyncio.sleep(1)  # has something to do after the client has left
