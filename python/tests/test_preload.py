"""preload_app: the mold loads the application, and the workers find it."""

import json
import os

import pytest
from fakemaster import Master, needs, until

KINDS = ["sync", "gthread", "gevent", "eventlet"]


def master(app, kind="sync", **more):
    needs(kind)
    threads = 2 if kind == "gthread" else 1
    return Master(app, quiet=False, options={"worker_class": kind, "threads": threads, "preload_app": True, **more})


@pytest.mark.parametrize("kind", KINDS)
def test_application_is_loaded_once_and_shared(kind):
    with master("preloaded", kind) as m:
        m.configure()
        found = []
        for slot in (0, 1):
            w = m.ready(slot)
            found.append(json.loads(m.get(w).body))
            assert w.retire() == 0
        assert [f["loaded by"] for f in found] == [m.mold.pid] * 2
        assert [f["pid"] for f in found] == [w.pid for w in m.workers]
        assert found[0]["random"] != found[1]["random"]
        assert not any(f["loop"] for f in found), "the mold's event loop is in use"
        assert [f["collected"] for f in found] == [True] * 2
        assert [f["wakeup"] for f in found] == [-1] * 2


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_library_is_patched_before_it_is_preloaded(kind):
    with master("patched", kind) as m:
        m.configure()
        for slot in (0, 1):
            assert json.loads(m.get(m.ready(slot)).body) == {"socket": kind, "sleep": kind, "thread": kind}


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_hub_that_ran_in_the_mold_is_none_of_the_workers(kind):
    """The application waits while it is loaded, so there is a hub with an epoll instance."""
    with master("sleeps_at_import", kind) as m:
        m.configure()
        workers = [m.spawn(slot) for slot in (0, 1)]
        for w in workers:
            assert w.fact()[0] == "ready"
        for w in workers:
            m.newest = w.own
            numbers = [m.ask() for _ in range(20)]
            assert {m.answer(w, n).body for n in numbers} == {b"slept"}
        for w in workers:
            assert w.retire() == 0


@pytest.mark.parametrize(
    ("app", "status", "says"),
    [
        ("no_such_app", 4, "No module named"),
        ("broken_syntax", 4, "SyntaxError"),
        ("gallery:missing", 4, "has no attribute"),
        ("raises_at_import", 3, "no database at import"),
        ("exits_at_import", 3, "not today"),
    ],
)
def test_failure_is_the_molds_to_tell_and_its_status_a_workers(app, status, says):
    with pytest.raises(AssertionError, match=f"mold ended with {status}"), master(app) as m:
        fact = m.configure()
        assert fact[0] == "failed" and says in fact[1]
        assert fact[2] == ("load" if status == 4 else "boot")


def test_threads_that_a_fork_does_not_copy_are_named():
    with master("threads_at_import") as m:
        m.configure()
        assert m.get(m.ready()).body == b"Hello, world!"
        assert m.stderr().count("'poller'") == 1 and "preload" in m.stderr()


def test_mold_and_workers_hear_signals_whatever_the_application_set():
    with master("takes_signals") as m:
        m.configure()
        w = m.ready()
        assert m.get(w, QUERY_STRING="hello").body == b"Hello, world!"
        assert w.retire() == 0


def test_memory_of_the_application_is_shared():
    """The worker's own pages are few: the 64 MB that the application holds are the mold's."""
    with master("heavy") as m:
        m.configure()
        w = m.ready()
        for _ in range(50):
            m.get(w)
        with open(f"/proc/{w.pid}/smaps_rollup") as smaps:
            sizes = {line.split(":")[0]: int(line.split()[1]) for line in smaps if line.endswith("kB\n")}
        assert sizes["Rss"] > 60_000
        assert sizes["Private_Dirty"] < 12_000


def test_worker_that_is_forked_late_is_like_the_first():
    with master("preloaded") as m:
        m.configure()
        w = m.ready()
        os.kill(w.pid, 9)
        w.wait()
        assert json.loads(m.get(m.ready()).body)["loaded by"] == m.mold.pid
        until(lambda: m.row()[1] == 0)
