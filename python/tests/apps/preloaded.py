"""Remembers by whom it was loaded, and does in the mold what forks must not share."""

import asyncio
import gc
import json
import os
import random
import signal
import socket

LOADED_BY = os.getpid()
LOOP = asyncio.new_event_loop()
asyncio.set_event_loop(LOOP)
KEPT = [socket.socketpair()]
KEPT[0][1].setblocking(False)
signal.set_wakeup_fd(KEPT[0][1].fileno())
random.seed(1)


def current():
    try:
        return asyncio.get_event_loop_policy().get_event_loop() is LOOP
    except RuntimeError:
        return False


def application(environ, start_response):
    wakeup = signal.set_wakeup_fd(-1) if MAIN() else -1
    found = {
        "loaded by": LOADED_BY,
        "pid": os.getpid(),
        "random": random.random(),
        "loop": MAIN() and current(),
        "collected": gc.isenabled(),
        "wakeup": wakeup,
    }
    start_response("200 OK", [])
    return [json.dumps(found).encode()]


def MAIN():
    import threading

    return threading.current_thread() is threading.main_thread()
