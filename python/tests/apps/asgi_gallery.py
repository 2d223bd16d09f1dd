"""A gallery of ASGI applications, good and bad. Each is one behaviour of a real one;
`shop` plays the one that the query string names."""

import asyncio
import collections
import contextvars
import http
import json
import os
import signal
import sys
import time

from asgi_validator import validator

TEXT = [(b"content-type", b"text/plain")]
log = []
tenant = contextvars.ContextVar("tenant", default="nobody")
gates = {}


def start(status=200, headers=TEXT, **more):
    return {"type": "http.response.start", "status": status, "headers": headers, **more}


def piece(body, more=False):
    return {"type": "http.response.body", "body": body, "more_body": more}


async def answer(send, body, headers=TEXT):
    await send(start(headers=[*headers, (b"content-length", b"%d" % len(body))]))
    await send(piece(body))


async def whole_body(receive):
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message["body"])
        if not message["more_body"]:
            return b"".join(parts)


@validator
async def hello(scope, receive, send):
    await answer(send, b"Hello, world!")


@validator
async def enum_status(scope, receive, send):
    await send(start(http.HTTPStatus.CREATED))
    await send(piece(b"made"))


Pair = collections.namedtuple("Pair", "name value")


@validator
async def odd_pairs(scope, receive, send):
    await send(start(headers=(Pair(*pair) for pair in ((b"x-a", b"1"), [b"x-b", b"2"]))))
    await send(piece(b"odd"))


@validator
async def bare(scope, receive, send):
    await send({"type": "http.response.start", "status": 204})
    await send({"type": "http.response.body"})


@validator
async def echo(scope, receive, send):
    body = await whole_body(receive)
    await answer(send, body)


@validator
async def sizes(scope, receive, send):
    """The sizes of the pieces; another task runs in between."""
    ran = 0

    async def others():
        nonlocal ran
        while True:
            ran += 1
            await asyncio.sleep(0)

    other = asyncio.ensure_future(others())
    found, more = [], True
    while more:
        message = await receive()
        found.append(len(message["body"]))
        more = message["more_body"]
    other.cancel()
    await answer(send, json.dumps(found).encode())


@validator
async def cancels_receive(scope, receive, send):
    """Looks for a disconnect as frameworks do: a receive() that is cancelled at once."""
    for _ in range(50):
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        if waiting.done():
            break
        waiting.cancel()
    await answer(send, (waiting.result()["body"] if waiting.done() else b"") + await whole_body(receive))


@validator
async def ended(scope, receive, send):
    """receive() after the response is complete."""
    await receive()
    await answer(send, b"done")
    log.append((await receive())["type"])


@validator
async def pieces(scope, receive, send):
    await send(start())
    for n in range(3):
        await send(piece(b"%d" % n, True))
    await send(piece(b"end"))


@validator
async def gated(scope, receive, send):
    """The second piece waits for another request, `opens`, with the same path."""
    gate = gates.setdefault(scope["path"], asyncio.Event())
    await send(start())
    await send(piece(b"first", True))
    await gate.wait()
    await send(piece(b"second"))


@validator
async def waits(scope, receive, send):
    await gates.setdefault(scope["path"], asyncio.Event()).wait()
    await answer(send, b"waited")


@validator
async def opens(scope, receive, send):
    gates.setdefault(scope["path"], asyncio.Event()).set()
    await answer(send, b"open")


@validator
async def page(scope, receive, send):
    await answer(send, b"p" * (112 << 10))


@validator
async def large(scope, receive, send):
    await answer(send, b"x" * 300_000)


@validator
async def large_pieces(scope, receive, send):
    await send(start())
    for _ in range(40):
        await send(piece(b"y" * 250_000, True))
    await send(piece(b""))


@validator
async def early_end(scope, receive, send):
    """All that Content-Length says comes with more_body, as from middleware."""
    await send(start(headers=[*TEXT, (b"content-length", b"5")]))
    await send(piece(b"exact", True))
    await send(piece(b""))


@validator
async def endless(scope, receive, send):
    await send(start())
    try:
        while True:
            await send(piece(b"z" * 10_000, True))
    except OSError as error:
        log.append(type(error).__name__)
        raise


@validator
async def until_disconnect(scope, receive, send):
    await receive()
    log.append("waits")
    log.append((await receive())["type"])
    log.append((await receive())["type"])


async def sleeper(scope, receive, send):
    """Does not listen to receive."""
    log.append("sleeps")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        log.append("cancelled")
        raise


@validator
async def trailers(scope, receive, send):
    await send(start(trailers=True))
    await send(piece(b"body"))
    for n in range(2):
        headers = [(b"x-sum", b"%d" % n)]
        await send({"type": "http.response.trailers", "headers": headers, "more_trailers": n == 0})


@validator
async def hints(scope, receive, send):
    await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]})
    await send(start())
    await send({"type": "http.response.early_hint", "links": [b"</b.js>; rel=preload", b"</c.js>"]})
    await send(piece(b"page"))


@validator
async def path(scope, receive, send):
    await send(start(headers=[]))
    await send({"type": "http.response.pathsend", "path": scope["path"]})


@validator
async def context(scope, receive, send):
    """Each request has a context of its own, and is a task."""
    before = tenant.get()
    tenant.set(scope["path"])
    await asyncio.sleep(0)
    assert asyncio.current_task() is not None
    await answer(send, f"{before} {tenant.get()}".encode())


@validator
async def task_first(scope, receive, send):
    """current_task() before the first await, which task groups rely on."""
    task = asyncio.current_task()
    await asyncio.sleep(0)
    await answer(send, str(task is not None and task is asyncio.current_task()).encode())


async def story(scope, receive, send):
    told, log[:] = list(log), []
    await answer(send, json.dumps(told).encode())


@validator
async def facts(scope, receive, send):
    found = {"loop": type(asyncio.get_running_loop()).__module__, "pid": os.getpid(), "scope": repr(scope)}
    await answer(send, json.dumps(found).encode())


async def background(scope, receive, send):
    """Leaves a task behind that goes on for a moment."""

    async def later():
        await asyncio.sleep(0.3)
        print("background done", file=sys.stderr, flush=True)

    gates["task"] = asyncio.ensure_future(later())
    await answer(send, b"started")


async def forever(scope, receive, send):
    async def never():
        try:
            await asyncio.Event().wait()
        finally:
            print("background cancelled", file=sys.stderr, flush=True)

    gates["never"] = asyncio.ensure_future(never())
    await answer(send, b"started")


async def blocks(scope, receive, send):
    """What an asyncio application must not do."""
    time.sleep(float(scope["path"][1:]))
    await answer(send, b"late")


# The bad ones.


async def raises(scope, receive, send):
    raise ZeroDivisionError("by the application")


async def raises_after_start(scope, receive, send):
    await send(start())
    raise ZeroDivisionError("after start")


async def raises_later(scope, receive, send):
    await send(start())
    await send(piece(b"half", True))
    raise ZeroDivisionError("too late")


async def raises_at_the_end(scope, receive, send):
    await answer(send, b"fine")
    raise ZeroDivisionError("after the end")


async def exits(scope, receive, send):
    sys.exit(5)


async def cancels_itself(scope, receive, send):
    asyncio.current_task().cancel()
    await asyncio.sleep(0)


async def silent(scope, receive, send):
    pass


async def only_starts(scope, receive, send):
    await send(start())


async def stops_early(scope, receive, send):
    await send(start())
    await send(piece(b"half", True))


async def no_trailers(scope, receive, send):
    await send(start(trailers=True))
    await send(piece(b"body"))


async def body_first(scope, receive, send):
    await send(piece(b"body"))


async def starts_twice(scope, receive, send):
    await send(start())
    await send(start())


async def after_the_end(scope, receive, send):
    await answer(send, b"fine")
    await send(piece(b"more"))


async def restarts(scope, receive, send):
    await answer(send, b"fine")
    await send(start())


async def bad_message(scope, receive, send):
    await send(BAD[scope["path"]])


TWINS = {
    "right": lambda: (200, [(b"a", b"b")]),
    "lists": lambda: (200, [[b"a", b"b"]]),
    "tuple": lambda: (200, ((b"a", b"b"),)),
    "iterator": lambda: (200, iter([(b"a", b"b")])),
    "enum": lambda: (http.HTTPStatus.OK, [Pair(b"a", b"b")]),
    "float": lambda: (200.0, [(b"a", b"b")]),
    "text": lambda: (200, [("a", "b")]),
    "mixed": lambda: (200, [(b"a", "b")]),
}


async def twins(scope, receive, send):
    """Heads that are equal, or look it. The list is the application's own."""
    status, headers = TWINS[scope["path"]]()
    await send(start(status, headers))
    if type(headers) is list:
        headers.append((b"c", b"later"))
    await send(piece(b""))


async def many_heads(scope, receive, send):
    await send(start(200, [(b"n", scope["path"].encode())]))
    await send(piece(scope["path"].encode()))


async def bad_piece(scope, receive, send):
    await send(start())
    await send(piece(scope["path"]))


async def bad_path(scope, receive, send):
    await send(start())
    await send({"type": "http.response.pathsend", "path": scope["path"]})


async def hint_too_late(scope, receive, send):
    await send(start())
    await send(piece(b"half", True))
    await send({"type": "http.response.early_hint", "links": []})


async def too_long(scope, receive, send):
    await send(start(headers=[*TEXT, (b"content-length", b"3")]))
    await send(piece(b"abc", True))
    await send(piece(b"def"))


async def huge_head(scope, receive, send):
    await send(start(headers=[(b"x-big", b"x" * 200_000)]))
    await send(piece(b""))


async def crashes(scope, receive, send):
    os.kill(os.getpid(), signal.SIGSEGV)


async def leaves(scope, receive, send):
    os._exit(9)


async def interrupts(scope, receive, send):
    raise KeyboardInterrupt


BAD = {
    "unknown": {"type": "http.response.bogus"},
    "text": "http.response.start",
    "untyped": {},
    "status-str": {"type": "http.response.start", "status": "200"},
    "status-bool": {"type": "http.response.start", "status": True},
    "status-none": {"type": "http.response.start"},
    "status-interim": {"type": "http.response.start", "status": 103},
    "header-str": {"type": "http.response.start", "status": 200, "headers": [("a", "b")]},
    "header-mixed": {"type": "http.response.start", "status": 200, "headers": [(b"a", "b")]},
    "header-triple": {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b", b"c")]},
    "header-none": {"type": "http.response.start", "status": 200, "headers": None},
    "header-crlf": {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b\r\nc: d")]},
    "header-nul": {"type": "http.response.start", "status": 200, "headers": [(b"a\0", b"b")]},
}


async def shop(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    await globals()[scope["query_string"].decode()](scope, receive, send)


# Lifespans.


@validator
async def lives(scope, receive, send):
    if scope["type"] == "http":
        scope["state"]["mine"] = True
        await answer(send, json.dumps([scope["state"]["shared"], sorted(scope["state"])]).encode())
        scope["state"]["shared"].append(scope["path"])
        return
    assert (await receive())["type"] == "lifespan.startup"
    scope["state"]["shared"] = ["lifespan"]
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    print("clean", file=sys.stderr, flush=True)
    await send({"type": "lifespan.shutdown.complete"})


async def fails_to_start(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


async def fails_to_stop(scope, receive, send):
    if scope["type"] == "http":
        return await answer(send, b"fine")
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.failed", "message": "still open"})


async def hangs_at_stop(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await asyncio.Event().wait()


async def dies_in_lifespan(scope, receive, send):
    if scope["type"] == "http":
        return await answer(send, b"fine")
    await receive()
    await send({"type": "lifespan.startup.complete"})
    raise ZeroDivisionError("in the lifespan")


async def knows_only_http(scope, receive, send):
    message = await receive()
    assert message["type"] == "http.request", message
    await answer(send, b"fine")


async def disorderly(scope, receive, send):
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
