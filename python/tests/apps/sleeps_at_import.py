"""Waits while it is imported, and in every request."""

import time

time.sleep(0.01)


def application(environ, start_response):
    time.sleep(0.01)
    start_response("200 OK", [])
    return [b"slept"]
