"""What Indrik is to reach, as data: ratios to its peers in one run on one machine, and a few figures."""

from __future__ import annotations

from dataclasses import dataclass

from results import Result
from workloads import WORKLOADS


@dataclass(frozen=True)
class Goal:
    """A bound for ours ÷ theirs, if peers or another metric of our own are named, or for ours itself."""

    text: str
    workload: str
    server: str
    metric: str
    at_least: float | None = None
    at_most: float | None = None
    peers: tuple[str, ...] = ()  # the best of them counts
    beside: str = ""  # the metric of ours to divide by

    def value(self, result: Result) -> float | None:
        """None if something that it needs was not measured."""
        ours = result.median(self.workload, self.server, self.metric)
        if self.metric == "errors":
            ours = None if ours is None else result.total(self.workload, self.server, "errors")
        if ours is None or not (self.peers or self.beside):
            return ours
        if self.beside:
            theirs = result.median(self.workload, self.server, self.beside)
        else:
            known = [result.median(self.workload, peer, self.metric) for peer in self.peers]
            figures = [figure for figure in known if figure is not None]
            if len(figures) < len(self.peers) and len(self.peers) <= 2:
                return None  # a goal that names its peers needs them all
            theirs = (max if self.at_least is not None else min)(figures, default=None)
        return ours / theirs if theirs else None

    def reached(self, result: Result) -> bool | None:
        value = self.value(result)
        if value is None:
            return None
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def bound(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {round(self.at_most or 0, 3):g}"


SYNC, GTHREAD, ASGI = "indrik sync", "indrik gthread", "indrik asgi"
ONE = tuple(name for name in WORKLOADS["c1"].servers if not name.startswith(("indrik", "nginx")))

GOALS = (
    Goal("WSGI hello, requests/s ÷ gunicorn sync", "hello", SYNC, "rate", 6, peers=("gunicorn sync",)),
    Goal("WSGI hello, requests/s ÷ gunicorn gthread", "hello", SYNC, "rate", 5, peers=("gunicorn gthread",)),
    Goal("WSGI hello, requests/s ÷ uWSGI http11", "hello", SYNC, "rate", 2, peers=("uwsgi",)),
    Goal("WSGI hello, requests/s ÷ granian", "hello", SYNC, "rate", 1.2, peers=("granian wsgi",)),
    Goal("WSGI hello, requests/s ÷ nginx `return 200`", "hello", SYNC, "rate", 0.6, peers=("nginx",)),
    Goal("ASGI hello, requests/s ÷ gunicorn asgi", "hello", ASGI, "rate", 1.5, peers=("gunicorn asgi",)),
    Goal("ASGI hello, requests/s ÷ uvicorn", "hello", ASGI, "rate", 1.5, peers=("uvicorn",)),
    Goal("ASGI hello, requests/s ÷ granian", "hello", ASGI, "rate", 1.1, peers=("granian asgi",)),
    Goal("WSGI hello, processor time ÷ gunicorn sync", "hello", SYNC, "cpu", at_most=1 / 6, peers=("gunicorn sync",)),
    Goal("WSGI hello, processor time ÷ granian", "hello", SYNC, "cpu", at_most=1, peers=("granian wsgi",)),
    Goal("one slow in twenty, p99 of the others ÷ gunicorn gthread", "tail", GTHREAD, "p99", at_most=0.2, peers=("gunicorn gthread",)),
    Goal("one slow in twenty, p99 of the others ÷ granian", "tail", GTHREAD, "p99", at_most=0.2, peers=("granian wsgi",)),
    Goal("one connection, median latency ÷ the fastest peer (without nginx)", "c1", SYNC, "p50", at_most=1.3, peers=ONE),
    Goal("cold start ÷ `python -c 'import app'`, hello", "cold", SYNC, "ms", at_most=1.1, beside="import"),
    Goal("cold start ÷ `python -c 'import app'`, Flask", "cold-flask", SYNC, "ms", at_most=1.1, beside="import"),
    Goal("from kill -9 to the new worker's response, ms", "replace", SYNC, "ms", at_most=30),
    Goal("memory of a worker with preload ÷ gunicorn sync", "memory", SYNC, "pss_worker", at_most=1, peers=("gunicorn sync",)),
    Goal("status and metrics once a second, 64 workers: % of the processors", "status", SYNC, "share", at_most=1),
    Goal("status under load, 64 workers: median, ms", "status", SYNC, "status", at_most=50),
    Goal("reload under load, failed requests", "reload", SYNC, "errors", at_most=0),
    Goal("reload under load, p99 ÷ p99 before it", "reload", SYNC, "p99", at_most=2, beside="p99 calm"),
)
