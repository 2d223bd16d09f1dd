"""A WSGI application with a request that takes a second, and says so in the journal."""

import time


def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        print("slow request begun", file=environ["wsgi.errors"], flush=True)
        time.sleep(1)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]
