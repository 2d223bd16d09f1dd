"""An application whose paths do what a test wants to see."""

import os
import signal
import time


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(float(environ["QUERY_STRING"]))
    elif path == "/die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif path == "/orphan":  # leaves a process behind that ends a little later
        if os.fork() == 0:
            if os.fork() == 0:
                time.sleep(0.2)
            os._exit(0)
        os.wait()
    body = ("%d %s" % (os.getpid(), os.environ.get("WHO", ""))).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
