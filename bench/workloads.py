"""What is measured, of whom, and for how long: data. `measures.py` and `moments.py` carry it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import asking
import moments
from idle import chunked, half_body, half_head, kept, shaken
from measures import Context, bulk, echo, http2, many, mixed, post, single_requests
from processes import NotRun
from servers import PEERS, Launch
from slow import bodies, heads, reading

WSGI = ("indrik sync", "gunicorn sync", "gunicorn gthread", "uwsgi", "granian wsgi")
ASGI = ("indrik asgi", "gunicorn asgi", "uvicorn", "granian asgi")
EVERY = (
    "indrik sync", "indrik gthread", "gunicorn sync", "gunicorn gthread", "gunicorn gevent", "uwsgi", "granian wsgi",
    "waitress", "bjoern", *ASGI, "hypercorn", "nginx",
)  # fmt: skip

__all__ = ["DEFAULT", "WORKLOADS", "Context", "NotRun", "Workload"]


@dataclass(frozen=True)
class Workload:
    """One column of the results."""

    name: str
    what: str  # a clause for the report
    measure: Callable[[Context], dict[str, float]]
    servers: tuple[str, ...]
    rounds: int = 2
    seconds: float = 2.0  # of load
    takes: float = 0.5  # seconds besides: warming up, what is no load
    unit: str = "requests/s"
    metric: str = "rate"  # what is compared; anything but a rate is better when it is less
    path: str = "/"
    connections: int = 32
    app: str = "plain"
    workers: int = 2
    threads: int = 4
    unix: bool = False
    tls: bool = False
    preload: bool = False
    patient: bool = False  # idle connections are kept for minutes
    control: bool = False  # it is asked by its control socket
    starts: bool = True  # a server is started for it; otherwise it starts what it needs itself
    alone: bool = False  # no other workload shares its server
    default: bool = True  # part of a run that names no workload

    def launch(self, server: str) -> tuple[object, ...]:
        """Workloads for which this is the same share one start of the server."""
        return server, self.app, self.workers, self.threads, self.unix, self.tls, self.preload, self.patient, self.control, self.alone and self.name

    def fits(self, to: Launch) -> Launch:
        """The launch that the workload asks for."""
        return Launch(to.address, to.folder, self.app, self.workers, self.threads, self.tls, self.preload, self.patient, self.control)


WORKLOADS = {
    w.name: w
    for w in (
        Workload("hello", "14 bytes, 32 connections", many, EVERY, rounds=3, seconds=3),
        Workload("10k", "a body of 10 KB", many, (*WSGI, *ASGI, "nginx"), path="/10k"),
        Workload("100k", "a body of 100 KB", many, (*WSGI, *ASGI, "nginx"), path="/100k"),
        Workload("post", "a POST of 10 KB, echoed", post, (*WSGI, *ASGI), path="/echo"),
        Workload("c1", "one connection", many, (*WSGI, "bjoern", *ASGI, "nginx"), rounds=3, connections=1),
        Workload("c1000", "1,000 connections", many, (*WSGI, *ASGI, "nginx"), connections=1000),
        Workload("close", "a connection for every request", single_requests, (*WSGI, *ASGI, "nginx")),
        Workload("tail", "500 requests/s, one in twenty takes 100 ms; times of the others", mixed,
                 ("indrik gthread", "gunicorn gthread", "uwsgi", "granian wsgi"), rounds=3, seconds=5, connections=64, unit="ms", metric="p99"),
        Workload("flask", "JSON by Flask", many, (*WSGI, "waitress"), app="flask_app"),
        Workload("django", "JSON by Django", many, WSGI, app="django_app"),
        Workload("fastapi", "JSON by FastAPI", many, (*ASGI, "hypercorn"), app="fastapi_app"),
        Workload("io", "10 ms of waiting, 512 connections; 256 threads for each worker that has threads", many,
                 ("indrik gthread", "indrik gevent", "gunicorn gthread", "gunicorn gevent", "uwsgi", "granian wsgi", *ASGI),
                 path="/io", connections=512, threads=256),
        Workload("unix", "over a Unix socket behind nginx", many,
                 ("indrik sync", "gunicorn sync", "gunicorn gthread", "uwsgi", "granian wsgi", "indrik asgi", "uvicorn"), unix=True),
        Workload("http2", "HTTP/2 over TLS, 16 connections of 8 streams; 16 threads for each worker that has threads", http2,
                 ("indrik asgi", "indrik sync", "granian asgi", "gunicorn gthread", "hypercorn", "nginx"), tls=True, connections=16, threads=16),
        Workload("ws", "WebSocket echo of 64 bytes", echo, (*ASGI, "hypercorn"), unit="messages/s"),
        Workload("upload", "100 MB up, read by the application", bulk, (*WSGI, "indrik asgi", "uvicorn", "granian asgi", "nginx"),
                 unit="MB/s", path="/upload", seconds=0, takes=1),
        Workload("download", "100 MB down, written by the application", bulk, (*WSGI, "indrik asgi", "uvicorn", "granian asgi", "nginx"),
                 unit="MB/s", path="/download", seconds=0, takes=1),
        Workload("cold", "from the first connection to the first byte, started by it; a hello", moments.cold,
                 ("indrik sync", "gunicorn sync", "indrik asgi", "uvicorn", "hypercorn"),
                 seconds=0, takes=3, unit="ms", metric="ms", starts=False, alone=True),
        Workload("cold-flask", "the same with Flask", moments.cold, ("indrik sync", "gunicorn sync"),
                 app="flask_app", seconds=0, takes=4, unit="ms", metric="ms", starts=False, alone=True),
        Workload("replace", "from kill -9 of the only worker to the next response", moments.replace,
                 ("indrik sync", "gunicorn sync", "uwsgi", "granian wsgi", "indrik asgi"), workers=1, seconds=0, takes=4, unit="ms", metric="ms"),
        Workload("memory", "8 workers of a Django application, preload where there is one", moments.memory,
                 ("indrik sync", "gunicorn sync", "uwsgi", "granian wsgi"), app="django_app", workers=8, preload=True,
                 rounds=1, seconds=1, takes=1, unit="MB for a worker", metric="pss_worker"),
        Workload("idle", "10,000 connections that are kept alive", kept, ("indrik sync", "indrik asgi", "uvicorn", "granian asgi", "nginx"),
                 rounds=1, seconds=0, takes=8, patient=True, unit="bytes for a connection", metric="bytes"),
        Workload("reload", "500 requests/s while the server reloads as it does", moments.reload,
                 ("indrik sync", "gunicorn sync", "gunicorn gthread", "uwsgi", "granian wsgi", "indrik asgi", "uvicorn", "nginx"),
                 seconds=10, takes=1, alone=True, unit="ms", metric="p99"),
        Workload("status", "64 workers, asked for status and metrics once a second under a hello load", asking.status, ("indrik sync",),
                 rounds=1, seconds=4, takes=35, workers=64, unit="% of the processors", metric="share", control=True, default=False),
        *(Workload(f"idle-{name}", f"10,000 connections that {what}", measure, ("indrik sync",), rounds=1, seconds=0, takes=20,
                   unit="bytes for a connection", metric="bytes", patient=True, tls=name == "tls", default=False)
          for name, what, measure in (("tls", "are kept alive over TLS", shaken), ("head", "have sent half a request head", half_head),
                                      ("body", "have sent one byte of a short body", half_body),
                                      ("chunked", "have sent one byte of a chunked body", chunked))),
        *(Workload(f"slow-{name}", f"beside 500 clients of slowhttptest: {what}", measure, ("indrik sync",), rounds=3, seconds=5,
                   takes=9, connections=16, unit="ms", metric="p99", alone=True, default=False)
          for name, what, measure in (("heads", "heads that never end", heads), ("bodies", "bodies that never end", bodies),
                                      ("reading", "1 MB that is hardly read", reading))),
    )
}  # fmt: skip

DEFAULT = tuple(name for name, w in WORKLOADS.items() if w.default)

assert all(server in PEERS for w in WORKLOADS.values() for server in w.servers)
