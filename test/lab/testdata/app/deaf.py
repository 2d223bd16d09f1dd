"""An ASGI application that can make its worker deaf: its event loop turns, and it beats, but it takes no request."""

import asyncio
import os
import socket


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    if scope["path"] == "/deafen":
        loop = asyncio.get_running_loop()
        for fd in list(loop._selector.get_map()):
            with socket.socket(fileno=os.dup(fd)) if is_socket(fd) else open(os.devnull) as s:
                if getattr(s, "type", None) == socket.SOCK_SEQPACKET:
                    loop.remove_reader(fd)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
    await send({"type": "http.response.body", "body": b"hello\n"})


def is_socket(fd):
    return os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
