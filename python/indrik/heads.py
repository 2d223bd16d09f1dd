"""What an application may give start_response (PEP 3333): is it a status, are those
headers. Runs in the worker.
"""

from __future__ import annotations

from typing import Any, Callable, Union

Headers = Union[list[tuple[str, str]], tuple[tuple[str, str], ...]]


class BrokenRule(Exception):
    """The application did what PEP 3333 forbids; the text names the rule."""

    __module__ = "indrik"  # how tracebacks name it


# Heads that were checked lately. An application has few different ones, or so many that it
# does not matter.
_known: dict[Any, tuple[tuple[str, str], ...]] = {}
_KNOWN_MOST = 256  # heads
_KNOWN_LENGTH = 512  # characters of one of them


def checked(status: str, headers: Headers) -> Headers:
    """A copy of headers, if they and the status are what PEP 3333 allows."""
    if type(headers) is not list:  # an iterator, perhaps: it can be looked at once
        return _check(status, headers)[0]
    try:
        key = (status, *headers)
        return _known[key]
    except (KeyError, TypeError):
        pass  # a new one, or nothing that can be one: the whole check says what is wrong
    pairs, length = _check(status, headers)
    if length <= _KNOWN_LENGTH and all(type(pair) is tuple for pair in headers):
        if len(_known) >= _KNOWN_MOST:
            _known.clear()
        _known[key] = pairs
    return pairs


def _check(status: str, headers: Headers) -> tuple[tuple[tuple[str, str], ...], int]:
    """The same without looking into what is known; and how many characters there are."""
    # One pass that unpacks, adds and joins checks the types of everything in it.
    pairs, texts = [], [status]
    try:
        for name, text in headers:
            pairs.append((name, text))
            texts.append(name + text)
        flat = "".join(texts)
    except (TypeError, ValueError):
        raise BrokenRule(
            "PEP 3333: start_response takes a status of type str and a list of (name, value) tuples of str"
        ) from None
    if "\n" in flat or "\r" in flat or "\0" in flat:
        raise BrokenRule(f"PEP 3333: no control characters in {_culprit(status, pairs, _controls)}")
    if not flat.isascii() and not _latin1(flat):
        raise BrokenRule(f"PEP 3333: only ISO-8859-1 characters in {_culprit(status, pairs, _beyond_latin1)}")
    if len(status) < 3 or not status[:3].isdecimal() or status[3:4] not in ("", " "):
        raise BrokenRule(f"PEP 3333: a status such as '200 OK', not {status!r}")
    return tuple(pairs), len(flat)


def _controls(text: str) -> bool:
    return "\n" in text or "\r" in text or "\0" in text


def _latin1(text: str) -> bool:
    return max(text) <= "\xff"


def _beyond_latin1(text: str) -> bool:
    return not _latin1(text)


def _culprit(status: str, headers: Headers, wrong: Callable[[str], bool]) -> str:
    for name, text in headers:
        if wrong(name + text):
            return f"the header {name!r}: {text!r}"
    return f"the status {status!r}"
