"""An application whose process hears two late orders when its modules are taken down."""

import os
import signal


class Last:
    # Modules may be gone when it is called.
    kill, pid, orders = staticmethod(os.kill), os.getpid(), (signal.SIGUSR1, signal.SIGTERM)

    def __del__(self):
        for order in self.orders:
            self.kill(self.pid, order)


last = Last()


def application(environ, start_response):
    start_response("200 OK", [])
    return [b"fine"]
