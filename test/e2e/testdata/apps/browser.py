"""A page with everything that a browser loads, for a browser that says what came.

The files below /static are the gateway's. The image /last is answered when the
page has reported, so that a browser that waits for its images waits for that.
"""

import asyncio
import json
import os
import urllib.parse

PAGE = b"""<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>all of it</title>
<link rel="stylesheet" href="/static/page.css">
<script src="/static/page.js" defer></script></head>
<body><h1 id="styled">styled</h1>
<img id="dot" src="/static/dot.png" alt="">
<iframe name="answer" id="answer"></iframe>
<form id="form" method="post" action="/form" target="answer">
<input name="word" value="caf\xc3\xa9 &amp; cr\xc3\xa8me"><input name="long" id="long"></form>
<pre id="found">nothing</pre>
<img src="/last" alt=""></body></html>
"""

reported = None


async def application(scope, receive, send):
    global reported
    if reported is None:
        reported = asyncio.Event()
    if scope["type"] == "lifespan":
        raise NotImplementedError("no lifespan")
    if scope["type"] == "websocket":
        return await conversation(receive, send)
    await PAGES.get(scope["path"], missing)(scope, receive, send)


async def respond(send, body, kind=b"text/html; charset=utf-8", status=200):
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def page(scope, receive, send):
    await respond(send, PAGE)


async def missing(scope, receive, send):
    await respond(send, b"there is no such page", status=404)


async def read(receive):
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body"):
            return body


async def form(scope, receive, send):
    """The fields of the form, for the script of the page to look at."""
    fields = dict(urllib.parse.parse_qsl((await read(receive)).decode()))
    fields["long"] = len(fields["long"])
    await respond(send, f"<pre>{json.dumps(fields)}</pre>".encode())


async def events(scope, receive, send):
    """Three events with pauses between them; then silence, until the client leaves."""
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for n in range(3):
        await send({"type": "http.response.body", "body": b"id: %d\ndata: event %d\n\n" % (n, n), "more_body": True})
        await asyncio.sleep(0.05)
    while (await receive())["type"] != "http.disconnect":
        pass
    with open(os.path.join(os.environ["E2E_NOTES"], "events-left"), "w"):
        pass


async def conversation(receive, send):
    """Every message comes back, text as text and bytes as bytes."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event.get("text"), "bytes": event.get("bytes")})


async def protocol(scope, receive, send):
    await respond(send, f"{scope['scheme']} {scope['http_version']}".encode(), b"text/plain")


async def report(scope, receive, send):
    await read(receive)
    reported.set()
    await respond(send, b"", b"text/plain")


async def last(scope, receive, send):
    await reported.wait()
    await respond(send, b"", b"image/png", 404)


PAGES = {
    "/": page, "/form": form, "/events": events, "/protocol": protocol, "/report": report, "/last": last,
}
