"""Serves plain.wsgi by bjoern in several processes: `serve_bjoern.py PORT WORKERS`.

bjoern has no supervisor of its own; its documentation says to listen, then to fork.
"""

import os
import signal
import sys

import bjoern
import plain


def main():
    port, workers = int(sys.argv[1]), int(sys.argv[2])
    bjoern.listen(plain.wsgi, "127.0.0.1", port)
    children = []
    for _ in range(workers):
        child = os.fork()
        if child == 0:
            bjoern.run()
            return
        children.append(child)

    def end(number, frame):
        for child in children:
            os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
