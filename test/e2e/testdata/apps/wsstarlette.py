"""The same echo as Starlette has it."""

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect


async def hello(request):
    return PlainTextResponse("hello")


async def echo(websocket):
    chosen = "v2" if "v2" in websocket.scope["subprotocols"] else None
    await websocket.accept(subprotocol=chosen, headers=[(b"x-scheme", websocket.url.scheme.encode())])
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text") is not None:
                await websocket.send_text(message["text"])
            else:
                await websocket.send_bytes(message["bytes"])
    except WebSocketDisconnect:
        pass


async def floods(websocket):
    await websocket.accept()
    for i in range(2000):
        await websocket.send_bytes(i.to_bytes(4, "big") * 8000)
    await websocket.close(4001, "all said")


async def declined(websocket):
    await websocket.close()


async def denied(websocket):
    response = PlainTextResponse("who are you?", 401, headers={"x-why": "no"})
    await websocket.send_denial_response(response)


app = Starlette(
    routes=[
        Route("/", hello),
        WebSocketRoute("/", echo),
        WebSocketRoute("/slow", echo),
        WebSocketRoute("/floods", floods),
        WebSocketRoute("/declined", declined),
        WebSocketRoute("/denied", denied),
    ]
)
