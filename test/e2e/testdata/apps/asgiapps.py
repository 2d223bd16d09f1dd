"""Small applications of other ASGI frameworks, each with the same four pages. A
framework is imported only when its application is asked for."""

import asyncio


async def numbers():
    for n in range(3):
        yield f"{n}\n"
        await asyncio.sleep(0)


def fastapi():
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse, StreamingResponse

    app = FastAPI()

    @app.get("/", response_class=PlainTextResponse)
    async def index():
        return "hello"

    @app.post("/json")
    async def echo(items: dict[str, int]):
        return {"sum": sum(items.values())}

    @app.get("/stream")
    async def stream():
        return StreamingResponse(numbers(), media_type="text/plain")

    @app.get("/fail")
    def fail():
        raise RuntimeError("asked to fail")

    return app


def quart():
    from quart import Quart, request

    app = Quart(__name__)

    @app.get("/")
    async def index():
        return "hello"

    @app.post("/json")
    async def echo():
        return {"sum": sum((await request.get_json()).values())}

    @app.get("/stream")
    async def stream():
        return numbers(), 200, {"Content-Type": "text/plain"}

    @app.get("/fail")
    async def fail():
        raise RuntimeError("asked to fail")

    return app


def litestar():
    from litestar import Litestar, MediaType, get, post
    from litestar.response import Stream

    @get("/", media_type=MediaType.TEXT)
    async def index() -> str:
        return "hello"

    @post("/json", status_code=200)
    async def echo(data: dict[str, int]) -> dict[str, int]:
        return {"sum": sum(data.values())}

    @get("/stream")
    async def stream() -> Stream:
        return Stream(numbers, media_type="text/plain")

    @get("/fail")
    async def fail() -> None:
        raise RuntimeError("asked to fail")

    return Litestar([index, echo, stream, fail])


def falcon():
    import falcon.asgi

    class Pages:
        async def on_get(self, request, response):
            response.content_type, response.text = "text/plain", "hello"

        async def on_post(self, request, response):
            response.media = {"sum": sum((await request.get_media()).values())}

        async def on_get_stream(self, request, response):
            response.content_type = "text/plain"
            response.stream = (part.encode() async for part in numbers())

        async def on_get_fail(self, request, response):
            raise RuntimeError("asked to fail")

    app, pages = falcon.asgi.App(), Pages()
    app.add_route("/", pages)
    app.add_route("/json", pages)
    app.add_route("/stream", pages, suffix="stream")
    app.add_route("/fail", pages, suffix="fail")
    return app
