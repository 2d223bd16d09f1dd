"""Every hook of Gunicorn, each leaving a line: the place, its pid, and what it was
called with."""

import os

wsgi_app = "plain"
workers = 2
timeout = 7.5
raw_env = ["FROM_SCRIPT=yes"]
trace = os.environ["E2E_TRACE"]  # not a setting, and near none


def note(name, *words):
    with open(trace, "a") as file:
        print(name, os.getpid(), *words, file=file)


def nworkers_changed(server, new, old):
    note("nworkers_changed", new, old)


def on_starting(server):
    note("on_starting", server.pid, server.cfg.workers, server.cfg.timeout, server.cfg.raw_env)
    server.log.warning("logged by a hook")


def when_ready(server):
    note("when_ready", len(server.WORKERS) > 0)


def pre_fork(server, worker):
    note("pre_fork", worker.pid, worker.age)


def post_fork(server, worker):
    note("post_fork", worker.pid, worker.age)


def post_worker_init(worker):
    note("post_worker_init", worker.pid, callable(worker.wsgi), os.environ["FROM_SCRIPT"])


def pre_request(worker, req):
    note("pre_request", req.method, req.path, req.query, dict(req.headers).get("X-ONE"))


def post_request(worker, req, environ, resp):
    note("post_request", worker.nr, environ["PATH_INFO"], resp.status_code, dict(resp.headers).get("Content-Type"))


def worker_abort(worker):
    note("worker_abort", worker.aborted)


def worker_int(worker):
    note("worker_int", worker.alive)


def worker_exit(server, worker):
    note("worker_exit", worker.pid)


def child_exit(server, worker):
    note("child_exit", worker.pid)


def on_exit(server):
    note("on_exit")
