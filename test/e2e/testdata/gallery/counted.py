"""Counts its requests over all workers, and those workers that live."""

from prometheus_client import CollectorRegistry, Counter, Gauge, multiprocess

SERVED = Counter("served", "Requests answered")
ALIVE = Gauge("alive", "Workers that have answered and live", multiprocess_mode="liveall")


def application(environ, start_response):
    registry = CollectorRegistry()
    if environ["PATH_INFO"] == "/metrics":
        multiprocess.MultiProcessCollector(registry)
        body = f"served {registry.get_sample_value('served_total'):g}".encode()
    else:
        SERVED.inc()
        ALIVE.set(1)
        body = b"counted"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
