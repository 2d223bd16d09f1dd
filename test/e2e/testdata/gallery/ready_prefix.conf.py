"""Hooks in the manner of Airflow's web server: the supervisor counts the workers that
are ready by a mark in their titles, and what is expensive is loaded before the fork."""

import os
import sys

from hooktrace import trace  # beside this file

wsgi_app = "plain_app:make(name='airflow')"
workers = 2
worker_class = "sync"
timeout = 120

READY = "[ready] "
loaded = []


def on_starting(server):
    loaded.append("providers")
    trace("on_starting", server.cfg.workers, server.cfg.worker_class_str == "sync", isinstance(server.pid, int))


def when_ready(server):
    trace("when_ready", server.cfg.timeout)


def nworkers_changed(server, new_value, old_value):
    trace("nworkers_changed", new_value, old_value)


def post_worker_init(worker):
    os.environ["TITLE"] = READY + "worker"
    trace("post_worker_init", loaded, worker.pid == os.getpid(), worker.cfg.workers, "plain_app" in sys.modules)


def on_exit(server):
    trace("on_exit", loaded)
