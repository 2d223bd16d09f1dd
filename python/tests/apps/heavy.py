"""Holds 64 MB in a million small objects, which any garbage collection would write to."""

HELD = [(number, str(number)) for number in range(600_000)]


def application(environ, start_response):
    start_response("200 OK", [])
    return [str(len(HELD)).encode()]
