"""JSON by FastAPI, as its documentation shows it."""

from fastapi import FastAPI

asgi = FastAPI()


@asgi.get("/")
async def hello():
    return {"message": "Hello, world!", "numbers": [1, 2, 3]}
