"""An ASGI application whose requests leave something on the task they run in: the query
string says what. It answers with the task's name, which tells tasks apart."""

import asyncio
import contextvars
import weakref

user = contextvars.ContextVar("user")
kept = []
known = weakref.WeakKeyDictionary()
ended = []


async def nothing(task):
    pass


async def waits(task):
    await asyncio.sleep(0.001)


async def sets_and_resets(task):
    token = user.set("me")
    await asyncio.sleep(0)
    user.reset(token)


async def variable(task):
    user.set("me")


async def variable_after_waiting(task):
    await asyncio.sleep(0.001)
    user.set("me")


async def reference(task):
    kept.append(task)


async def reference_after_waiting(task):
    await asyncio.sleep(0.001)
    kept.append(task)


async def weak_key(task):
    known[task] = "session"


async def swallowed_cancellation(task):
    task.cancel()
    try:
        await asyncio.sleep(5)
    except asyncio.CancelledError:
        pass


async def pending_cancellation(task):
    task.cancel()


async def callback(task):
    task.add_done_callback(lambda done: ended.append(done.get_name()))


async def name(task):
    task.set_name("mine")


async def told(task):
    """Whether the task called back that had `callback`."""
    while not ended:
        await asyncio.sleep(0.001)


async def all_cancelled(task):
    """What some do at shutdown: every other task is cancelled, and waited for."""
    others = [other for other in asyncio.all_tasks() if other is not task and "run at" in repr(other.get_coro())]
    for other in others:
        other.cancel()
    await asyncio.wait(others or [asyncio.create_task(asyncio.sleep(0))])


async def eager(scope, receive, send):
    if scope["type"] == "lifespan":
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    await app(scope, receive, send)


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    assert user.get(None) is None, "the context of another request"
    task = asyncio.current_task()
    body = task.get_name().encode()
    what = globals()[scope["query_string"].decode()]
    if what is not pending_cancellation:
        await what(task)
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    if what is pending_cancellation:
        await what(task)
