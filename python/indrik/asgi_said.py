"""What an application may say in a WebSocket conversation, checked. Runs in an asgi
worker, after the fork.

Each function takes a message, or a part of one, and returns what the gateway is to be
told; BrokenRule names what ASGI or RFC 6455 does not allow.
"""

from __future__ import annotations

from typing import Any

from .asgi_heads import BrokenRule, Message, fields_of

_NORMAL = 1000  # the code of a close without one (RFC 6455 section 7.4.1)
_MAX_REASON = 123  # bytes of UTF-8 (RFC 6455 section 5.5)


def acceptance(message: Message, offered: list[str]) -> tuple[str | None, list[tuple[bytes, bytes]]]:
    """Subprotocol and headers of websocket.accept; offered is what the client offers."""
    name = message.get("subprotocol")
    if name is not None and name not in offered:
        raise BrokenRule(f"ASGI: a subprotocol is one that the client offers: {offered}, not {name!r}")
    fields = fields_of(message)
    for field, _ in fields:
        if field.lower().startswith(b"sec-websocket-"):
            raise BrokenRule(f"ASGI: websocket.accept has no header {field!r}, which is the handshake's own")
    return None if name is None else str.__str__(name), fields


def close(message: Message) -> tuple[int, str]:
    """Code and reason of websocket.close."""
    code, reason = message.get("code"), message.get("reason") or ""
    code = _NORMAL if code is None else code
    if not isinstance(code, int) or not _for_the_wire(code):
        raise BrokenRule(f"ASGI: websocket.close has a code that RFC 6455 section 7.4 lets be sent, not {code!r}")
    if len(utf8(reason)) > _MAX_REASON:
        raise BrokenRule(f"ASGI: websocket.close has a reason of at most {_MAX_REASON} bytes (RFC 6455 section 5.5)")
    return int(code), str.__str__(reason)


def _for_the_wire(code: int) -> bool:
    """Whether a close frame may carry code (RFC 6455 section 7.4 and IANA's registry)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def utf8(text: Any) -> bytes:
    """The text of a message as it goes to the client."""
    if not isinstance(text, str):
        raise BrokenRule(f"ASGI: text is of type str, not {type(text).__name__}")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise BrokenRule(f"RFC 6455: text is UTF-8, in which {text[error.start]!r} has no form") from None


def data(given: Any) -> bytes:
    """The bytes of a message."""
    if isinstance(given, (bytes, bytearray, memoryview)):
        return bytes(given)
    raise BrokenRule(f"ASGI: bytes are of type bytes, not {type(given).__name__}")


def content(kind: str, fd: int) -> str | bytes:
    """A message of the client that came as a file. Closes fd."""
    with open(fd, "rb", buffering=0) as file:
        file.seek(0)
        whole = file.read()
    return whole.decode() if kind == "text" else whole
