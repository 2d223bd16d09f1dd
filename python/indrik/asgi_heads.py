"""Status and headers that an ASGI application gives: whether they are what ASGI and HTTP
allow. Runs in an asgi worker, after the fork.
"""

from __future__ import annotations

from typing import Any

from .asgi_reply import Fields

Message = dict[str, Any]
Head = tuple[int, Fields]
Heads = dict[tuple[Any, ...], Head]  # what was checked, by status and headers; of one worker

_MOST = 256  # heads that are kept,
_LONGEST = 1024  # of no more than these bytes in names and values


class BrokenRule(RuntimeError):
    """The application did what ASGI forbids; the text names the rule."""

    __module__ = "indrik"  # how tracebacks name it


def head_of(message: Message, heads: Heads) -> Head:
    """Status and headers of a start message, if they are what ASGI allows.

    heads is where it is noted that they are. An application has few heads, and to look
    one up takes a third of the time. What compares equal to a head that was allowed may
    stand for it, for it is the one that was allowed which is sent.
    """
    status = message.get("status")
    if type(status) is not int:
        if isinstance(status, bool) or not isinstance(status, int):
            raise BrokenRule(f"ASGI: http.response.start has a status of type int, not {status!r}")
        status = int(status)  # http.HTTPStatus
    if not 200 <= status <= 999:
        raise BrokenRule(f"ASGI: http.response.start has a final status, 200 to 999, not {status}")
    head = status, fields_of(message)
    _note(head, heads)
    return head


def _note(head: Head, heads: Heads) -> None:
    size = 0
    for field in head[1]:
        if type(field) is not tuple or type(field[0]) is not bytes or type(field[1]) is not bytes:
            return  # nor can all that is allowed be looked up
        size += len(field[0]) + len(field[1])
    if size <= _LONGEST:
        if len(heads) >= _MOST:
            heads.clear()  # an application with many has one for each of its answers
        heads[(head[0], *head[1])] = head


def fields_of(message: Message) -> Fields:
    """A copy of a message's headers, if they are what ASGI and HTTP allow."""
    try:
        fields = list(message.get("headers", ()))
        # One pass that unpacks, adds and joins checks the types of everything in it.
        text = b"".join([name + value for name, value in fields])
    except (TypeError, ValueError):
        raise BrokenRule("ASGI: headers are an iterable of (name, value), both bytes") from None
    if 10 in text or 13 in text or 0 in text:  # LF, CR, NUL; as numbers a third of the time
        raise BrokenRule(f"ASGI: no control characters in a header: {_culprit(fields)}")
    return fields


def _culprit(fields: Fields) -> str:
    for name, value in fields:
        if any(c in name + value for c in (b"\n", b"\r", b"\0")):
            return f"{name!r}: {value!r}"
    return "?"


def content_length(fields: Fields) -> int | None:
    for name, value in fields:
        if len(name) == 14 and name.lower() == b"content-length":
            return int(value) if value.isdigit() else None
    return None
