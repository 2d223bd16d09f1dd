"""What a mold does not import before it is asked for workers (indrik/late.py)."""

import gc
import time

import pytest
from fakemaster import Master

# Modules of the standard library that took most of the time a mold needed to start.
SLOW = {
    "asyncio",
    "inspect",
    "dataclasses",
    "logging.config",
    "logging.handlers",
    "random",
    "json",
    "shutil",
    "platform",
}

APP = """
import sys
def app(environ, start_response):
    start_response("200 OK", [])
    return [" ".join(sys.modules).encode()]
"""


def modules(m, worker):
    return set(m.get(worker).body.decode().split())


def test_a_mold_imports_little_before_the_first_worker(tmp_path):
    (tmp_path / "bare.py").write_text(APP)
    with Master("bare:app", pythonpath=[str(tmp_path)]) as m:
        m.configure()
        found = modules(m, m.ready())
        assert not found & SLOW
        assert not [name for name in found if name.startswith("indrik.asgi")]


def test_a_calm_mold_imports_for_those_to_come(tmp_path):
    (tmp_path / "bare.py").write_text(APP)
    with Master("bare:app", pythonpath=[str(tmp_path)]) as m:
        m.configure()
        for pause in (0, 2, 4, 8, 16, 32):  # seconds in which it has nothing to do
            time.sleep(pause)
            worker = m.ready()
            found = modules(m, worker)
            worker.retire()
            if "asyncio" in found:
                break
        assert pause > 0 and {"asyncio", "indrik.asgi_websocket"} <= found


def test_what_comes_late_is_like_the_rest(tmp_path):
    """Its source is shown in tracebacks, and the package's own interface is there."""
    (tmp_path / "late.py").write_text(
        """
import linecache
def app(environ, start_response):
    import indrik.asgi_http
    start_response("200 OK", [])
    source = linecache.getline(indrik.asgi_http.__file__, 1, vars(indrik.asgi_http))  # as traceback does
    return [f"{source.strip()} {indrik.run.__module__} {hasattr(indrik, 'asgi_more')}".encode()]
"""
    )
    with Master("late:app", pythonpath=[str(tmp_path)]) as m:
        m.configure()
        said = m.get(m.ready()).body.decode()
    assert said.startswith('"""') and said.endswith(" indrik.launch False"), said


GARBAGE = """
import gc
seen = f"{gc.get_freeze_count()} {gc.get_stats()[2]['collections']}"
def app(environ, start_response):
    start_response("200 OK", [])
    return [seen.encode()]
"""


@pytest.mark.skipif(not hasattr(gc, "freeze"), reason="PyPy's collector puts nothing away")
def test_garbage_is_looked_for_when_nobody_waits(tmp_path):
    """The first worker finds what the mold has imported out of the collector's sight, without that anybody has looked
    through it; those that come when the mold was calm find it tidied up."""
    (tmp_path / "garbage.py").write_text(GARBAGE)
    with Master("garbage:app", pythonpath=[str(tmp_path)]) as m:
        m.configure()
        worker = m.ready()
        frozen, full = map(int, m.get(worker).body.split())
        worker.retire()  # or it would take the requests of the others
        assert frozen > 5_000 and full == 0
        for pause in (2, 4, 8, 16, 32):  # seconds in which it has nothing to do
            time.sleep(pause)
            worker = m.ready()
            frozen, full = map(int, m.get(worker).body.split())
            worker.retire()
            if full:
                break
        assert frozen > 5_000 and full > 0
