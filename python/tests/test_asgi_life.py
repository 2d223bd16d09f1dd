"""An asgi worker from its startup to its end: lifespan, retirement, what it leaves undone."""

import json
import os
import signal
import time

import pytest
from fakeasgi import Shop
from fakemaster import LIMIT, Master, receive, until


def failed(app, pythonpath=(), **options):
    """What a worker that cannot start says, and its status."""
    options = {"worker_class": "asgi", **options}
    with Master(f"asgi_gallery:{app}", options=options, pythonpath=list(pythonpath), quiet=False) as m:
        m.configure()
        w = m.spawn()
        return (*w.fact(), w.wait())


def test_auto_recognises_an_asgi_application():
    with Shop("asgi_gallery:hello", worker_class="auto", asgi_lifespan="off") as s:
        assert s.get("").body == b"Hello, world!"
        assert s.retire() == 0


def test_lifespan_surrounds_the_requests_and_its_state_is_theirs():
    with Shop("asgi_gallery:lives", quiet=False) as s:
        assert json.loads(s.get("", path="/1").body) == [["lifespan"], ["mine", "shared"]]
        # A shallow copy: what a request adds is its own, what is in there is shared.
        assert json.loads(s.get("", path="/2").body) == [["lifespan", "/1"], ["mine", "shared"]]
        assert "clean" not in s.master.stderr()
        assert s.retire() == 0
        assert s.master.stderr() == "clean\n"


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_a_failed_startup_is_a_failed_boot(mode):
    kind, stage, text, status = failed("fails_to_start", asgi_lifespan=mode)
    assert (kind, stage, status) == ("failed", "boot", 3)
    assert text == "the application's startup failed: no database"


def test_without_lifespan():
    """auto serves it, on wants one, off does not ask."""
    with Shop("asgi_gallery:shop", quiet=True) as s:
        assert s.get("hello").status == 200
        assert s.retire() == 0
    with Shop("asgi_gallery:knows_only_http", quiet=False) as s:
        assert s.get("").body == b"fine"
        assert "served without lifespan, because it ended with AssertionError" in s.master.stderr()
    with Shop("asgi_gallery:fails_to_start", asgi_lifespan="off") as s:
        assert s.retire() == 0
    kind, stage, text, status = failed("shop", asgi_lifespan="on")
    assert (kind, stage, status) == ("failed", "boot", 3) and "NotImplementedError" in text


def test_a_disorderly_lifespan_is_named():
    text = failed("disorderly", asgi_lifespan="on")[2]
    assert "ASGI: lifespan.shutdown.complete out of order" in text


@pytest.mark.parametrize(
    ("app", "says"),
    [
        ("fails_to_stop", "lifespan.shutdown failed: still open"),
        ("hangs_at_stop", "lifespan.shutdown was not complete after"),
        ("dies_in_lifespan", "ZeroDivisionError: in the lifespan"),
    ],
)
def test_what_goes_wrong_in_a_lifespan_is_told_and_ends_nothing(app, says):
    with Shop(f"asgi_gallery:{app}", quiet=False, graceful_timeout=1000) as s:
        if app != "hangs_at_stop":
            assert s.get("").body == b"fine"
        assert s.retire() == 0
        assert says in s.master.stderr()


def test_retiring_finishes_what_is_held_and_what_is_in_the_lane():
    with Shop() as s:
        held = s.ask("waits", path="/held")
        last = [s.ask("hello") for _ in range(50)]
        stream = s.ask("gated", path="/held")
        s.ask("opens", path="/held")
        s.worker.own.close()
        answered = set()
        while len(answered) < 53:
            message, fds = receive(s.worker.replies[0])
            if len(message) == 5:
                os.close(fds[0])
                continue
            answered.add(message[0])
        assert {held, stream, *last} <= answered
        assert s.worker.wait() == 0


def test_background_tasks_get_the_time_there_is():
    with Shop(quiet=False) as s:
        assert s.get("background").body == b"started"
        before = time.monotonic()
        assert s.retire() == 0
        assert s.master.stderr() == "background done\n"
        assert time.monotonic() - before < 5


def test_what_does_not_end_is_cut_off_before_the_master_kills():
    """Requests and tasks are cancelled in time for the lifespan's shutdown."""
    with Shop(quiet=False, graceful_timeout=2000) as s:
        assert s.get("forever").body == b"started"
        silent = s.ask("waits", path="/never")
        begun = s.ask("gated", path="/never")
        message, fds = receive(s.worker.replies[0])
        assert message[0] == begun
        os.close(fds[0])
        before = time.monotonic()
        assert s.retire() == 0
        assert 1 < time.monotonic() - before < LIMIT
        ends = dict(receive(s.worker.replies[0])[0][:2] for _ in range(2))
        assert ends == {silent: 503, begun: None}
        text = s.master.stderr()
        assert text.count("was cut off: the worker leaves") == 2 and "background cancelled" in text


def test_sigterm_asks_to_be_retired_and_does_nothing_else():
    with Shop() as s:
        os.kill(s.worker.pid, signal.SIGTERM)
        assert s.worker.fact() == ("leaving", "SIGTERM")
        assert s.get("hello").status == 200
        os.kill(s.worker.pid, signal.SIGINT)
        assert s.get("hello").status == 200
        assert s.retire() == 0


def test_max_requests_asks_to_be_retired_once():
    with Shop(max_requests=3) as s:
        for _ in range(5):
            assert s.get("hello").status == 200
        assert s.worker.fact() == ("leaving", "max_requests")
        assert s.retire() == 0
        assert s.worker.fact() is None


def test_a_blocked_loop_stops_beating_and_an_idle_one_beats():
    with Shop() as s:
        beat = s.master.row()[0]
        until(lambda: s.master.row()[0] > beat)
        number = s.ask("blocks", path="/1.6")
        seen = set()
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            seen.add(s.master.row()[0])
            time.sleep(0.05)
        assert len(seen) <= 2
        assert s.answer(number).body == b"late"
        until(lambda: s.master.row()[1] == 0 and s.master.row()[3] == 1)  # written after the reply was sent


def test_the_worker_leaves_when_everybody_is_gone():
    with Shop() as s:
        number = s.ask("waits", path="/gone")
        for reply in s.worker.replies:
            reply.close()
        s.ask("opens", path="/gone")
        assert s.retire() == 0
        del number


def test_a_missing_loop_is_named(tmp_path):
    (tmp_path / "uvloop.py").write_text("raise ImportError('not here')")
    kind, stage, text, status = failed("hello", [str(tmp_path)], asgi_loop="uvloop")
    assert (kind, stage, status) == ("failed", "load", 4) and "pip install uvloop" in text
    with Shop(asgi_loop="auto") as s:  # whichever it is
        assert s.get("hello").status == 200
        assert s.retire() == 0
