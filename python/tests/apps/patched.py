"""Says whose socket, sleep and thread it found when it was imported."""

import json
import socket
import threading
import time


def owner(thing):
    return getattr(thing, "__module__", None).partition(".")[0]


def thread():
    """A thread of a patched library is a greenlet, which has no number of the kernel's of its own."""
    ids = []
    t = threading.Thread(target=lambda: ids.append(threading.get_native_id()))
    t.start()
    t.join()
    return ids[0] == threading.get_native_id()


FOUND = {"socket": owner(socket.socket), "sleep": owner(time.sleep), "thread": owner(threading.get_ident)}


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(FOUND).encode()]
