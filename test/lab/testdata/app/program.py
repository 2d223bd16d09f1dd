"""A server that is no application of Indrik: it takes its socket from systemd's protocol.

Its requests are paths: /hang (no WATCHDOG=1 any more), /leave (a child that hides, and an
end), /slow. Anything else is answered with what WORD says.
"""

import http.server
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time

WORD = "the first"
BROKEN = False

hung = threading.Event()


def tell(text):
    address = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(text.encode(), address.replace("@", "\0", 1))


class Answer(http.server.BaseHTTPRequestHandler):
    def address_string(self):
        return "client"  # a Unix socket's has no number

    def log_message(self, *args):
        pass

    def do_GET(self):
        text = WORD
        if self.path == "/hang":
            hung.set()
        elif self.path == "/slow":
            print("slow request begun", file=sys.stderr, flush=True)
            time.sleep(2)
            text = "slow but whole"
        elif self.path == "/leave":
            # A session of its own and an empty environment: only its control group knows it.
            text = str(subprocess.Popen(["sleep", "600"], start_new_session=True, env={}).pid)
            threading.Timer(0.2, os._exit, [5]).start()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode() + b"\n")


class Server(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """Answers what is accepted on a socket that was passed; block_on_close waits for it at the end."""

    daemon_threads = False

    def __init__(self, listener):
        super().__init__(None, Answer)
        self.socket = listener

    def fileno(self):
        return self.socket.fileno()

    def get_request(self):
        return self.socket.accept()

    def shutdown_request(self, request):
        try:
            request.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the client has gone
        request.close()


def main():
    if BROKEN:
        sys.exit(7)
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        sys.exit(8)
    server = Server(socket.socket(fileno=3))
    leaving = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: leaving.set())
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    tell("READY=1\nSTATUS=" + WORD)
    while not leaving.wait(int(os.environ["WATCHDOG_USEC"]) / 4e6):
        if not hung.is_set():
            tell("WATCHDOG=1")
    tell("STOPPING=1")
    server.shutdown()
    server.server_close()  # waits for the requests in hand


main()
