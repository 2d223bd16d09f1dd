"""Counts its requests over all workers, and those workers that live."""

import struct
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, multiprocess

SERVED = Counter("served", "Requests answered")
ALIVE = Gauge("alive", "Workers that have answered and live", multiprocess_mode="liveall")


def total():
    """Over all workers. A worker that boots may have made its file and not yet written its
    head, which prometheus_client cannot read: then another look is needed."""
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    for _ in range(100):
        try:
            return registry.get_sample_value("served_total")
        except struct.error:
            time.sleep(0.05)
    raise RuntimeError("a file without a head for 5 seconds")


def application(environ, start_response):
    if environ["PATH_INFO"] == "/metrics":
        body = f"served {total():g}".encode()
    else:
        SERVED.inc()
        ALIVE.set(1)
        body = b"counted"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
