"""Leaves room for few threads more."""

import threading

start = threading.Thread.start
count = 0


def few(self):
    global count
    count += 1
    if count > 2:
        raise RuntimeError("can't start new thread")
    start(self)


threading.Thread.start = few


def application(environ, start_response):
    start_response("200 OK", [])
    return []
