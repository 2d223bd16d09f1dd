"""A gallery of WebSocket applications, good and bad. Each is one behaviour of a real
one; `shop` plays the one that the query string names."""

import asyncio
import json
import time

seen = []


async def accepted(receive, send, **more):
    assert await receive() == {"type": "websocket.connect"}
    await send({"type": "websocket.accept", **more})


async def say(send, text):
    await send({"type": "websocket.send", "text": text})


async def echo(scope, receive, send):
    await accepted(receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        assert set(message) in ({"type", "text"}, {"type", "bytes"}), message
        await send({**message, "type": "websocket.send"})
    seen.append(message)


async def last(scope, receive, send):
    """Tells what the conversation before it left behind."""
    await accepted(receive, send)
    await say(send, json.dumps(seen))


async def chooses(scope, receive, send):
    await accepted(receive, send, subprotocol=scope["subprotocols"][-1], headers=[(b"X-App", b"yes")])
    await send({"type": "websocket.close", "code": 3001, "reason": "bye"})
    seen.append(await receive())
    seen.append(await receive())


async def declines(scope, receive, send):
    await receive()
    await send({"type": "websocket.close"})


async def denies(scope, receive, send):
    await receive()
    await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-why", b"no")]})
    await send({"type": "websocket.http.response.body", "body": b"who ", "more_body": True})
    await send({"type": "websocket.http.response.body", "body": b"are you?"})
    assert (await receive())["type"] == "websocket.disconnect"


async def denies_by_half(scope, receive, send):
    await send({"type": "websocket.http.response.start", "status": 401})


async def returns_at_once(scope, receive, send):
    await receive()


async def raises_at_once(scope, receive, send):
    raise ValueError("before accept")


async def returns_later(scope, receive, send):
    await accepted(receive, send)


async def raises_later(scope, receive, send):
    await accepted(receive, send)
    raise ValueError("in the middle")


async def exits(scope, receive, send):
    await accepted(receive, send)
    raise SystemExit(3)


async def breaks_rules(scope, receive, send):
    """Tries what is forbidden and says how each was refused."""
    refused = []

    async def tries(message):
        try:
            await send(message)
        except Exception as error:
            refused.append(f"{type(error).__name__}: {error}")
        else:
            refused.append(f"nothing was wrong with {message}")

    await tries("websocket.accept")
    await tries({"type": "http.response.start", "status": 200})
    await tries({"type": "websocket.send", "text": "early"})
    await tries({"type": "websocket.accept", "subprotocol": "unasked"})
    await tries({"type": "websocket.accept", "headers": [("x", "y")]})
    await tries({"type": "websocket.accept", "headers": [(b"Sec-WebSocket-Accept", b"y")]})
    await tries({"type": "websocket.accept", "headers": [(b"x", b"a\r\nb")]})
    await accepted(receive, send)
    await tries({"type": "websocket.accept"})
    await tries({"type": "websocket.http.response.start", "status": 200})
    await tries({"type": "websocket.send"})
    await tries({"type": "websocket.send", "text": "a", "bytes": b"a"})
    await tries({"type": "websocket.send", "text": b"a"})
    await tries({"type": "websocket.send", "bytes": "a"})
    await tries({"type": "websocket.send", "text": "\ud800"})
    await tries({"type": "websocket.close", "code": 1006})
    await tries({"type": "websocket.close", "code": "1000"})
    await tries({"type": "websocket.close", "reason": "x" * 124})
    waiting = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    try:
        await receive()
    except Exception as error:
        refused.append(f"{type(error).__name__}: {error}")
    waiting.cancel()
    await say(send, json.dumps(refused))
    refused.clear()
    await send({"type": "websocket.close"})
    await tries({"type": "websocket.send", "text": "late"})
    await tries({"type": "websocket.close"})
    seen.extend(refused)


async def subclasses(scope, receive, send):
    """Frameworks give subclasses of str, and buffers."""

    class Text(str):
        pass

    await accepted(receive, send, subprotocol=Text("chat"))
    await say(send, Text("text"))
    await send({"type": "websocket.send", "bytes": bytearray(b"array")})
    await send({"type": "websocket.send", "text": None, "bytes": memoryview(b"view")})


async def floods(scope, receive, send):
    """Sends until the client has left, and never receives."""
    await accepted(receive, send)
    count = 0
    try:
        while True:
            await send({"type": "websocket.send", "bytes": b"x" * 60_000})
            count += 1
    except OSError as error:
        seen.append([type(error).__name__, isinstance(error, ConnectionError), count > 0])
        raise


async def waits(scope, receive, send):
    await accepted(receive, send)
    try:
        await asyncio.wait_for(receive(), 0.05)
    except asyncio.TimeoutError:
        await say(send, "nothing yet")
    message = await receive()
    await say(send, "got " + message["text"])
    seen.append(await receive())
    seen.append(await receive())
    try:
        await say(send, "too late")
    except OSError as error:
        seen.append(type(error).__name__)


async def busy(scope, receive, send):
    """Does something else while a message waits, and says what the processor did meanwhile."""
    await accepted(receive, send)
    assert (await receive())["text"] == "begin"
    before = time.process_time()
    await asyncio.sleep(0.5)
    await say(send, str(time.process_time() - before))
    await say(send, (await receive())["text"])


async def cancels_late(scope, receive, send):
    """Cancels receive() in the turn of the loop in which its message comes."""
    await accepted(receive, send)
    task = asyncio.ensure_future(receive())
    await asyncio.sleep(0)  # now it waits
    await say(send, "now")
    asyncio.get_running_loop().call_later(0.1, task.cancel)
    time.sleep(0.3)  # the loop finds the message and the time over together
    try:
        await task
    except asyncio.CancelledError:
        await say(send, "cancelled")
    await say(send, "got " + (await receive())["text"])
    await say(send, "got " + (await receive())["text"])


async def shop(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    await globals()[scope["query_string"].decode()](scope, receive, send)
