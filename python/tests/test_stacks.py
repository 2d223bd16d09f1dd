"""A worker shows what it is doing, whatever that is, and goes on with it."""

import os
import signal

import pytest
from fakeasgi import Shop
from fakemaster import Master, Worker, needs, send, until


def threads(w: Worker) -> str:
    """What the worker's signal makes it write. It is whole when the kernel shows the signal
    as one that the main thread takes again."""
    os.ftruncate(w.stacks.fileno(), 0)
    os.kill(w.pid, w.signal)
    until(lambda: whole(w) and not mask(w, "SigBlk") >> (w.signal - 1) & 1)
    return whole(w)


def mask(w: Worker, name: str) -> int:
    with open(f"/proc/{w.pid}/status") as status:
        return next(int(line.split()[1], 16) for line in status if line.startswith(name))


def whole(w: Worker) -> str:
    return os.pread(w.stacks.fileno(), 1 << 20, 0).decode()


def test_a_worker_that_waits_shows_where():
    with Master() as m:
        m.configure()
        w = m.ready()
        until(lambda: "in serve" in threads(w))
        for _ in range(3):  # each time anew
            text = threads(w)
            assert text.count("most recent call first") == 1 and "in serve" in text, text
        assert m.get(w).body == b"Hello, world!"
        assert w.retire() == 0


def test_a_worker_stuck_in_c_shows_where():
    """PyDLL keeps the interpreter lock while the C function runs: no Python code can."""
    with Master("gallery:stuck") as m:
        m.configure()
        w = m.ready()
        number = m.ask()
        until(lambda: m.row(0)[1] == number)
        for _ in range(3):
            assert "in stuck" in threads(w)
        assert m.row(0)[1] == number  # the call was not interrupted
        os.kill(w.pid, signal.SIGKILL)
        w.wait()


def test_a_worker_that_boots_shows_where(tmp_path):
    (tmp_path / "slow_import.py").write_text("import time\ntime.sleep(30)\n")
    with Master("slow_import:app", cwd=tmp_path) as m:
        m.configure()
        w = m.spawn()
        until(lambda: "slow_import.py" in threads(w))
        os.kill(w.pid, signal.SIGKILL)
        w.wait()


def test_threads_all_show():
    with Master("gallery:hello", options={"worker_class": "gthread", "threads": 3}) as m:
        m.configure()
        w = m.ready()
        until(lambda: threads(w).count("most recent call first") >= 3)
        assert w.retire() == 0


def test_tasks_show_down_to_where_they_wait():
    with Shop() as shop:
        w = shop.worker
        number = shop.ask("sleeper")
        until(lambda: "in sleeper" in asked(w))
        text = asked(w)
        assert f"of request {number:#x} (most recent call first):\n" in text, text
        assert text.index("in sleep\n") < text.index("in sleeper"), text
        os.kill(w.pid, signal.SIGKILL)
        w.wait()


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_greenlets_show(kind):
    needs(kind)
    with Master("gallery:naps", options={"worker_class": kind}, quiet=False) as m:  # eventlet warns of itself
        m.configure()
        w = m.ready()
        m.ask(PATH_INFO="60")
        until(lambda: "in naps" in asked(w))
        os.kill(w.pid, signal.SIGKILL)
        w.wait()


def asked(w: Worker) -> str:
    """The answer to the order on the report socket."""
    send(w.report, ("stacks", 7))
    word, number, text = w.fact()
    assert (word, number) == ("tasks", 7)
    return text
