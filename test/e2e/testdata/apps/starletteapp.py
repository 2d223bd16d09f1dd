"""What people do with Starlette: lifespan, streams, uploads, background tasks, files."""

import asyncio
import contextlib
import contextvars
import hashlib
import os

from notes import note
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

user = contextvars.ContextVar("user", default="nobody")


@contextlib.asynccontextmanager
async def lifespan(app):
    if "E2E_NO_START" in os.environ:
        raise RuntimeError("the database is away")
    note("started")
    yield {"database": "connected"}
    note("cleaned")


class Names(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        user.set(request.headers.get("x-user", "nobody"))
        response = await call_next(request)
        response.headers["x-named"] = user.get()
        return response


async def index(request):
    return PlainTextResponse(f"hello from starlette, {request.state.database}, {user.get()}")


async def events(request):
    """Server-sent events until the client leaves."""

    async def parts():
        try:
            n = 0
            while True:
                yield f"data: {n}\n\n"
                n += 1
                await asyncio.sleep(0.01)
        finally:
            note("events-ended")

    return StreamingResponse(parts(), media_type="text/event-stream")


async def waits(request):
    """Until the client leaves."""
    while not await request.is_disconnected():
        await asyncio.sleep(0.01)
    note("noticed")
    return PlainTextResponse("nobody hears this")


async def upload(request):
    digest, size = hashlib.sha256(), 0
    async for piece in request.stream():
        digest.update(piece)
        size += len(piece)
    return JSONResponse({"size": size, "sha256": digest.hexdigest()})


async def form(request):
    async with request.form() as form:
        return JSONResponse({"note": form["note"], "size": len(await form["file"].read())})


async def later(request):
    async def work():
        await asyncio.sleep(0.3)
        note("background")

    return PlainTextResponse("accepted", background=BackgroundTask(work))


async def file(request):
    return FileResponse(os.environ["E2E_FILE"])


async def fail(request):
    raise RuntimeError("starlette was asked to fail")


def in_thread(request):
    return PlainTextResponse("from a thread")


app = Starlette(
    routes=[
        Route("/", index),
        Route("/events", events),
        Route("/waits", waits),
        Route("/upload", upload, methods=["POST"]),
        Route("/form", form, methods=["POST"]),
        Route("/later", later),
        Route("/file", file),
        Route("/fail", fail),
        Route("/thread", in_thread),
        Mount("/static", StaticFiles(directory=os.path.dirname(os.path.abspath(__file__)))),
    ],
    lifespan=lifespan,
)
named = Starlette(routes=app.routes, lifespan=lifespan, middleware=[Middleware(Names)])
