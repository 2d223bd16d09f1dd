"""From the order to fork to the first request, and every way not to get there."""

import json
import os
import signal
import sys
import time

import pytest
from fakemaster import APPS, PYTHON, Master, until

HERE = str(APPS)


@pytest.mark.parametrize("embedded", [True, False], ids=["memory", "files"])
def test_worker_says_ready_and_beats(embedded):
    with Master(embedded=embedded) as m:
        fact = m.configure()
        assert fact[0] == "configured" and os.access(fact[2], os.X_OK)
        before = time.monotonic_ns()
        w = m.ready(slot=2)
        beat, request, _, answered, pid, generation, *_ = m.row(2)
        assert before < beat <= time.monotonic_ns()
        assert (request, answered, pid, generation) == (0, 0, w.pid, 7)
        until(lambda: m.row(2)[0] > beat)  # idle, by the receive timeout of the lane
        assert m.get(w).body == b"Hello, world!"
        until(lambda: m.row(2)[1] == 0)
        assert m.row(2)[3] == 1
        assert w.retire() == 0


@pytest.mark.parametrize("embedded", [True, False], ids=["memory", "files"])
def test_application_finds_a_clean_process(embedded):
    """The application must not be able to tell how it was started: no path of ours,
    no descriptor that a program it starts would inherit, no thread."""
    with Master("gallery:facts", embedded=embedded, pythonpath=[".", "sub", "/other"]) as m:
        m.configure()
        w = m.ready(slot=1)
        found = json.loads(m.get(w).body)
        theirs = {name: where for name, where in w.fds().items() if name > 2}
        assert w.retire() == 0
    assert found["path"][:3] == ["/other", f"{HERE}/sub", HERE]
    assert not [p for p in found["path"] if p.startswith("/proc")]
    if embedded:
        assert str(PYTHON) not in found["path"]
    assert found["argv"] == ["indrik"] and found["cwd"] == HERE
    assert (found["slot"], found["generation"]) == ("1", "7")
    assert found["threads"] == 1 and found["importers"] == []
    inherited = [int(fd) for fd, inheritable in found["fds"].items() if inheritable]
    if sys.implementation.name == "pypy":  # its mmap keeps a copy of the descriptor for itself
        inherited = [fd for fd in inherited if "scoreboard" not in theirs[fd]]
    assert not inherited, "a descriptor would be inherited"
    assert {"wsgi.input", "wsgi.errors", "wsgi.file_wrapper"} <= set(found["environ"])
    sockets = [where for where in theirs.values() if where.startswith("socket:")]
    assert len(sockets) == 4 and len(set(sockets)) == 4, theirs  # lane, report, two replies
    rest = {where for where in theirs.values() if not where.startswith("socket:")}
    assert rest <= {"/memfd:scoreboard (deleted)", "/memfd:indrik-stacks (deleted)"}, theirs


def test_worker_is_named():
    with Master(name="shop") as m:
        m.configure()
        w = m.ready(slot=3)
        with open(f"/proc/{w.pid}/comm") as comm, open(f"/proc/{m.mold.pid}/comm") as mold:
            assert comm.read() == "indrik-w3\n"
            assert mold.read() == "indrik-mold\n"


def test_setproctitle_is_used_if_there():
    with Master("titled", name="shop", pythonpath=["titles"]) as m:
        m.configure()
        w = m.ready(slot=3)
        assert m.get(w).body == b"indrik: worker 3 [shop]"


@pytest.mark.parametrize(
    ("app", "body"),
    [
        ("gallery", b"Hello, world!"),
        ("gallery:Holder.inner.app", b"Hello, world!"),
        ("gallery:factory('x', 2, key={'a': [1]})", b"(('x', 2), {'key': {'a': [1]}})"),
    ],
)
def test_application_is_found(app, body):
    with Master(app) as m:
        m.configure()
        w = m.ready()
        assert m.get(w).body == body


LOAD, BOOT = ("load", 4), ("boot", 3)


@pytest.mark.parametrize(
    ("app", "outcome", "says"),
    [
        ("no_such_app", LOAD, "No module named 'no_such_app'"),
        ("gallery:missing", LOAD, "gallery has no attribute 'missing'"),
        ("gallery:Holder.missing", LOAD, "gallery:Holder has no attribute 'missing'"),
        ("gallery:number", LOAD, "gallery:number is not an application: it is of type 'int'"),
        ("gallery:number()", LOAD, "gallery:number is to be called"),
        ("gallery:none_factory()", LOAD, "gallery:none_factory() is not an application: it is None"),
        ("gallery.py", LOAD, "did you mean 'gallery'?"),
        ("gallery:a b", LOAD, "'a b' is not an attribute"),
        ("broken_import", LOAD, "No module named 'no_such_module_anywhere'"),
        ("broken_syntax", LOAD, "SyntaxError"),
        ("raises_at_import", BOOT, "ConnectionRefusedError: no database at import"),
        ("exits_at_import", BOOT, "SystemExit: not today"),
        ("gallery:bad_factory()", BOOT, "LookupError: in the factory"),
        ("gallery:none_factory(1)", BOOT, "TypeError: none_factory()"),
        ("long_error", BOOT, " the end"),
    ],
)
def test_boot_failure_is_reported_once(app, outcome, says):
    """The master prints the text, so it must be whole, and on standard error there is nothing."""
    stage, status = outcome
    with Master(app) as m:
        m.configure()
        w = m.spawn()
        kind, at, text = w.fact()
        assert (kind, at) == ("failed", stage)
        assert says in text
        assert "indrik/" not in text, text
        assert w.fact() is None
        assert w.wait() == status
        again = m.spawn()  # the mold is none the worse
        assert again.fact()[0] == "failed"
        assert again.wait() == status


def test_traceback_shows_the_application_only():
    with Master("raises_at_import") as m:
        m.configure()
        text = m.spawn().fact()[2]
    lines = text.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == f'  File "{HERE}/raises_at_import.py", line 5, in <module>'
    assert "connect()" in lines[2]
    assert "importlib" not in text


def test_sigterm_during_boot_ends_it_at_once():
    with Master("hangs_at_import") as m:
        m.configure()
        w = m.spawn()
        until(lambda: os.readlink(f"/proc/{w.pid}/cwd") == HERE and m.row(0)[4] == w.pid)
        assert w.retire() == -signal.SIGTERM


def test_master_gone_during_boot():
    with Master("raises_at_import") as m:
        m.configure()
        w = m.spawn()
        w.report.close()
        assert w.wait() == 3


def test_application_cannot_make_the_worker_deaf():
    """It ignores SIGTERM and takes SIGINT back while it is imported."""
    with Master("takes_signals") as m:
        m.configure()
        w = m.ready()
        os.kill(w.pid, signal.SIGINT)
        assert m.get(w, QUERY_STRING="hello").body == b"Hello, world!"
        assert w.retire() == 0
