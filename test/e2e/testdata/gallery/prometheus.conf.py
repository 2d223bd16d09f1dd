"""prometheus_client in multiprocess mode, as its documentation writes it for Gunicorn."""

import glob
import os

from prometheus_client import multiprocess
from hooktrace import trace  # beside this file

wsgi_app = "counted:application"
workers = 2
max_requests = 3


def on_starting(server):
    for path in glob.glob(os.path.join(os.environ["PROMETHEUS_MULTIPROC_DIR"], "*.db")):
        os.unlink(path)
    trace("on_starting cleared")


def child_exit(server, worker):
    multiprocess.mark_process_dead(worker.pid)
    left = glob.glob(os.path.join(os.environ["PROMETHEUS_MULTIPROC_DIR"], f"gauge_live*_{worker.pid}.db"))
    trace("child_exit", isinstance(worker.pid, int), left)
