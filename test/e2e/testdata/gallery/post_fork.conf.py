"""Hooks in the manner of Sentry's and other agents' guides: a client with threads of its
own must be made after the fork, requests are measured, and the end is flushed."""

import os
import threading
import time

from hooktrace import trace  # beside this file

wsgi_app = "plain_app:application"
workers = 2
timeout = 60
graceful_timeout = 20
proc_name = "post-fork"

clients = {}


class Client:
    """Stands for an SDK: it has a thread, which no fork copies."""

    def __init__(self):
        self.pid = os.getpid()
        self.sent = []
        self.thread = threading.Thread(target=time.sleep, args=(3600,), daemon=True)
        self.thread.start()


def pre_fork(server, worker):
    trace("pre_fork", worker.pid, worker.age > 0)


def post_fork(server, worker):
    server.log.info("Worker spawned (pid: %s)", worker.pid)
    clients[os.getpid()] = Client()
    trace("post_fork", worker.pid == os.getpid(), clients[worker.pid].thread.is_alive(), len(clients))


def pre_request(worker, req):
    worker.log.debug("%s %s", req.method, req.path)
    req.began = time.monotonic()


def post_request(worker, req, environ, resp):
    taken = time.monotonic() - req.began
    headers = dict((name.upper(), value) for name, value in req.headers)
    trace("post_request", req.method, req.path, req.query, resp.status, headers.get("X-TRACE"), 0 <= taken < 60)
    clients[os.getpid()].sent.append(environ["PATH_INFO"])


def worker_exit(server, worker):
    trace("worker_exit", worker.pid == os.getpid(), clients[os.getpid()].pid == os.getpid())


def worker_int(worker):
    worker.log.info("worker received INT or QUIT signal")


def worker_abort(worker):
    worker.log.info("worker received SIGABRT signal")
