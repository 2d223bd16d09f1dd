"""What every WSGI worker class must do alike, and what makes each of them one."""

import contextlib
import json
import os
import select
import signal
import socket
import time
from collections import Counter

import pytest
from fakemaster import LIMIT, Master, environ, fine, needs, play, receive, send, until

NOISE = "EventletDeprecationWarning"  # eventlet's own word at every start

KINDS = ["sync", "gthread", "gevent", "eventlet"]
MANY = KINDS[1:]  # those that answer several requests at a time


def options(kind, **more):
    return {"worker_class": kind, "threads": 4 if kind == "gthread" else 1, **more}


@contextlib.contextmanager
def worker(kind, app="gallery:shop", **more):
    needs(kind)
    with Master(app, quiet=False, options=options(kind, **more)) as m:
        m.configure()
        yield m, m.ready()


@pytest.fixture(scope="module", params=KINDS)
def place(request):
    """One worker for all that does not end it."""
    with worker(request.param) as it:
        yield it


def heard(m):
    """Standard error, without what the packages say for themselves."""
    return m.stderr().partition("migration.html\n\n")[2] if NOISE in m.stderr() else m.stderr()


def test_ready_says_how_many_at_a_time():
    for kind, word in {"sync": (1, False), "gthread": (4, False), "gevent": (70, True), "eventlet": (70, True)}.items():
        needs(kind)
        with Master(options=options(kind, worker_connections=70), quiet=False) as m:
            m.configure()
            assert m.spawn().fact() == ("ready", "wsgi", *word)


def test_threads_make_gthread_of_sync_and_of_auto():
    for kind in ("sync", "auto"):
        with Master(options={"worker_class": kind, "threads": 3}) as m:
            m.configure()
            assert m.spawn().fact() == ("ready", "wsgi", 3, False)


GOOD = {
    "valid_hello": b"Hello, world!",
    "generator": b"one two three",
    "writes": b"written twice and returned",
    "lazy_start": b"late",
    "sized_two": b"one of two",
    "big_list": b"x" * 300_000 + b"y" * 300_000,
    "big_first": b"x" * 300_000 + b"y",
    "wrapped_temporary": b"t" * 99_990,
    "exact_generator": b"exact",
}


@pytest.mark.parametrize("app", GOOD)
def test_answers(place, app):
    got = play(place, app)
    assert (got.status, got.body, got.complete) == ("200 OK", GOOD[app], True)


def test_bodies_inline_and_as_files(place):
    m, w = place
    assert play(place, "echo", b"sent").body == b"sent"
    fd = os.memfd_create("body")
    os.write(fd, b"z" * 200_000)
    os.lseek(fd, 0, os.SEEK_SET)
    number = m.ask(fd, QUERY_STRING="digest")
    os.close(fd)
    assert m.answer(w, number).body.startswith(b"200000 ")


BAD = {
    ("raises", "/"): "ZeroDivisionError: by the application",
    ("raises_after_start", "/"): "ZeroDivisionError: after start_response",
    ("exits", "/"): "SystemExit: 5",
    ("starts_twice", "/"): "PEP 3333: start_response may be called again",
    ("never_starts", "/"): "PEP 3333: start_response must be called before",
    ("writes_text", "/"): "PEP 3333: write() takes bytes, not str",
    ("bad_head", "crlf"): "PEP 3333: no control characters in the header 'X-Bad'",
    ("bad_body", "str"): "PEP 3333: the body consists of bytes, not of str",
    ("bad_body", "none"): "'NoneType' object is not iterable",
}


@pytest.mark.parametrize(("app", "path"), BAD)
def test_failure_is_a_500_and_told_once(place, app, path):
    m, _ = place
    before = len(m.stderr())
    got = play(place, app, PATH_INFO=path)
    assert got.status == "500 Internal Server Error"
    assert m.stderr()[before:].count(BAD[app, path]) == 1
    fine(place)


def test_failure_after_the_head_is_told_at_the_end(place):
    got = play(place, "raises_late")
    assert got.kind == "stream" and not got.complete and "ZeroDivisionError" in got.text
    fine(place)


def test_closed_exactly_once(place):
    play(place, "story")
    assert play(place, "closing", PATH_INFO="list").body == b"one"
    story = []  # it is closed after the reply, when another thread may already answer
    until(lambda: story.extend(json.loads(play(place, "story").body)) or story)
    assert story == ["closed"]


def test_client_that_leaves_ends_the_stream(place):
    m, w = place
    play(place, "story")
    number = m.ask(QUERY_STRING="closing", PATH_INFO="endless")
    _, fds = w.reply(number)
    os.close(fds[0])
    assert w.reply(number)[0][1:] == (None, False, "the client left")
    assert json.loads(play(place, "story").body) == ["closed"]


def test_fork_of_the_application_answers_nothing(place):
    """The child comes back into our code with an answer of its own, a stream, or SystemExit."""
    m, w = place
    for how in ("returns", "streams", "exits", "raises"):
        before = len(m.stderr())
        got = play(place, "forks_and_returns", PATH_INFO=how)
        assert got.body == b"parent" and got.complete, how
        child = int(dict(got.headers)["X-Child"])
        code = json.loads(play(place, "reaps", PATH_INFO=str(child)).body)
        assert code == {"returns": 0, "streams": 0, "exits": 7, "raises": 1}[how]
        assert "failed" not in m.stderr()[before:]
        fine(place)
    assert m.get(w, QUERY_STRING="hello").status == "200 OK" and not w.early


def test_fork_in_a_stream_adds_nothing_to_it(place):
    """The copy's part would come between the worker's, on the same socket."""
    _, w = place
    for _ in range(3):
        got = play(place, "forks_in_a_stream")
        assert (got.kind, got.body, got.complete) == ("stream", b"one parent", True)
    fine(place)
    assert not w.early


@pytest.mark.parametrize("kind", MANY)
def test_requests_run_at_a_time(kind):
    with worker(kind) as (m, w):
        before = time.monotonic()
        numbers = [m.ask(QUERY_STRING="half") for _ in range(4)]
        assert {m.answer(w, number).body for number in numbers} == {b"waited"}
        assert time.monotonic() - before < 1.5  # one after the other it would be 2


@pytest.mark.parametrize("kind", MANY)
def test_interrupt_in_a_request_costs_that_request_only(kind):
    with worker(kind) as (m, w):
        slow = m.ask(QUERY_STRING="half")
        assert m.get(w, QUERY_STRING="interrupts").status == "500 Internal Server Error"
        assert m.answer(w, slow).body == b"waited"
        assert "KeyboardInterrupt" in m.stderr()


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_library_is_patched_before_the_application(kind):
    with worker(kind, "patched") as (m, w):
        assert json.loads(m.get(w).body) == {"socket": kind, "sleep": kind, "thread": kind}


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_missing_package_is_one_line(kind, tmp_path):
    (tmp_path / f"{kind}.py").write_text(f"raise ImportError('No module named {kind}')")
    with Master(options=options(kind), pythonpath=[str(tmp_path)]) as m:
        m.configure()
        w = m.spawn()
        stage, text = w.fact()[1:]
        assert stage == "load" and f"pip install {kind}" in text and "\n" not in text
        assert w.wait() == 4


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_sigterm_is_a_wish_to_leave_and_the_lane_the_order(kind):
    with worker(kind) as (m, w):
        slow = m.ask(QUERY_STRING="half")
        os.kill(w.pid, signal.SIGTERM)
        assert w.fact() == ("leaving", "SIGTERM")
        assert m.get(w, QUERY_STRING="hello").body == b"Hello, world!"  # it still takes what comes
        last = m.ask(QUERY_STRING="hello")
        w.own.close()
        assert m.answer(w, slow).body == b"waited"
        assert m.answer(w, last).body == b"Hello, world!"
        assert w.wait() == 0


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_word_that_a_client_left_is_no_request(kind):
    with worker(kind) as (m, w):
        number = m.ask(QUERY_STRING="half")
        send(w.own, (number, None, None))
        assert m.answer(w, number).body == b"waited"
        assert m.get(w, QUERY_STRING="hello").status == "200 OK"


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_full_worker_takes_no_more(kind):
    with worker(kind, worker_connections=2) as (m, w):
        before = time.monotonic()
        numbers = [m.ask(QUERY_STRING="half") for _ in range(4)]
        for number in numbers:
            assert m.answer(w, number).body == b"waited"
        assert 1.0 <= time.monotonic() - before < 2.0


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_full_reply_socket_holds_up_its_own_requests_only(kind):
    """Nobody reads the replies of loop 0 while those of loop 1 are asked for."""
    with worker(kind) as (m, w):
        stuck = [m.ask(QUERY_STRING="big_headers") for _ in range(8)]
        until(lambda: select.select([w.replies[0]], [], [], 0)[0])
        for _ in range(5):
            assert m.answer(w, m.ask(QUERY_STRING="hello", loop=1)).body == b"Hello, world!"
        for number in stuck:
            assert m.answer(w, number).body == b"z" * 60_000


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_slow_body_and_slow_client_hold_up_nobody(kind):
    with worker(kind) as (m, w):
        ours, theirs = socket.socketpair()
        ours.settimeout(LIMIT)
        reading = m.next_id()
        body = {"REQUEST_METHOD": "POST", "QUERY_STRING": "digest", "wsgi.input_terminated": True}
        m.beside[reading] = theirs.detach()
        send(w.own, (reading, body, -1))
        m.hand(reading)
        assert ours.recv(1) == b"."  # it reads, and nothing is there
        writing = m.ask(QUERY_STRING="big_first")
        _, fds = w.reply(writing)
        assert m.get(w, QUERY_STRING="hello").status == "200 OK"
        os.close(fds[0])
        ours.sendall(b"abc")
        ours.shutdown(socket.SHUT_WR)
        assert m.answer(w, reading).body.startswith(b"3 ")
        ours.close()


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_a_descriptor_that_does_not_come_fails_its_request_only(kind):
    with worker(kind) as (m, w):
        m.quiet = False
        for place in (None, 1.5):  # an answer that was cut, and no body that there is
            number = m.next_id()
            send(w.own, (number, environ(), place))
            if place is None:
                assert receive(w.replies[0])[0] == (number, "descriptor")
                w.replies[0].send(bytes(100))
            assert m.answer(w, number).status == "500 Internal Server Error"
            until(lambda number=number: f"request {number:#x} failed" in m.stderr())
        assert m.get(w, QUERY_STRING="hello").status == "200 OK"


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_hub_that_stands_still_does_not_beat(kind):
    with worker(kind) as (m, w):
        beat = m.row()[0]
        until(lambda: m.row()[0] > beat)
        number = m.ask(QUERY_STRING="blocks")
        until(lambda: select.select([w.replies[0]], [], [], 0)[0] or m.row()[3] == 0)
        began = m.row()[0]
        assert m.answer(w, number).body == b"blocked"
        assert m.row()[0] <= began + 3_000_000_000


def test_life_of_a_gthread_worker_goes_on_while_its_seats_are_busy():
    with worker("gthread") as (m, w):
        numbers = [m.ask(QUERY_STRING="naps", PATH_INFO="2.5") for _ in range(4)]
        until(lambda: all(m.row(0, seat)[1] for seat in range(4)))
        assert {m.row(0, seat)[1] for seat in range(4)} == set(numbers)
        life, beats = m.row()[6], [m.row(0, seat)[0] for seat in range(4)]
        until(lambda: m.row()[6] > life)
        assert [m.row(0, seat)[0] for seat in range(4)] == beats
        for number in numbers:
            m.answer(w, number)


def test_gthread_leaves_at_once_however_many_seats_wait():
    """Not after the receive timeout of the lane, which is a second."""
    with Master(options={"worker_class": "gthread", "threads": 30}) as m:
        m.configure()
        times = []
        for _ in range(10):
            w = m.ready()
            before = time.monotonic()
            assert w.retire() == 0
            times.append(time.monotonic() - before)
        assert sorted(times)[5] < 0.5, times


def test_gthread_loses_nothing_when_retired_under_load():
    """Two workers with four seats each share a lane and are retired in turns."""
    with Master(options=options("gthread")) as m:
        m.configure()
        workers = [m.ready(0), m.ready(1)]
        asked, answers = [], Counter()

        def collect(from_workers):
            for w in from_workers:
                for reply in w.replies:
                    while select.select([reply], [], [], 0)[0]:
                        message, _ = receive(reply)
                        if message is None:
                            break
                        assert message[1] == "200 OK"
                        answers[message[0]] += 1

        for turn in range(40):
            leaver = workers[turn % 2]
            for _ in range(10):
                asked.append(m.ask())
            os.kill(leaver.pid, signal.SIGTERM)
            for _ in range(5):
                asked.append(m.ask())
            assert leaver.wait() == 0
            collect(workers)
            workers[turn % 2] = m.ready(turn % 2)
        until(lambda: collect(workers) or len(answers) == len(asked))
        assert set(answers.values()) == {1}


@pytest.mark.parametrize("kind", ["sync", "gthread"])
def test_max_requests_makes_one_on_the_shared_lane_ask_and_go_on(kind):
    with worker(kind, max_requests=5) as (m, w):
        for _ in range(4):
            fine((m, w))
        assert not select.select([w.report], [], [], 0)[0]
        for _ in range(4):
            fine((m, w))
        assert w.fact() == ("leaving", "max_requests")
        assert m.row()[7] == 0
        os.kill(w.pid, signal.SIGTERM)
        assert w.wait() == 0
        assert m.row()[7] == 1  # as it was told, which is no failure
        number = m.ask(QUERY_STRING="hello")
        assert m.answer(m.ready(1), number).body == b"Hello, world!"


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_max_requests_makes_others_ask_to_leave_once(kind):
    with worker(kind, max_requests=5) as (m, w):
        for _ in range(4):
            fine((m, w))
        assert not select.select([w.report], [], [], 0)[0]
        for _ in range(4):
            fine((m, w))
        assert w.fact() == ("leaving", "max_requests")
        w.own.close()
        assert w.fact() is None
        assert w.wait() == 0


def test_jitter_spreads_the_ends():
    with Master(options={"max_requests": 1, "max_requests_jitter": 30}) as m:
        m.configure()
        ends = set()
        for _ in range(4):
            w = m.ready()
            taken = 0
            while not select.select([w.report], [], [], 0)[0]:
                m.get(w)
                taken += 1
            assert w.fact() == ("leaving", "max_requests") and 1 <= taken <= 31
            ends.add(taken)
            os.kill(w.pid, signal.SIGTERM)
            assert w.wait() == 0
            os.pwrite(m.scoreboard, bytes(8), 64 * 3 + 56)  # as the master clears the row
        assert len(ends) > 1


@pytest.mark.parametrize(
    ("kind", "app"), [(k, "leaves_atexit") for k in KINDS] + [("sync", "leaves_thread"), ("gthread", "leaves_thread")]
)
def test_what_the_application_leaves_behind_does_not_hold_the_worker(kind, app):
    """With gevent and eventlet a thread is a greenlet, and ends with the process."""
    with worker(kind, graceful_timeout=1000) as (m, w):
        assert play((m, w), app).status == "200 OK"
        before = time.monotonic()
        assert w.retire() == 0
        assert time.monotonic() - before < 5
        assert "left without waiting any longer for" in m.stderr()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("app", "code"), [("crashes_deep", -signal.SIGSEGV), ("leaps", 9)])
def test_process_that_dies_names_its_requests(kind, app, code):
    with worker(kind) as (m, w):
        number = m.ask(QUERY_STRING=app)
        assert w.wait() == code
        held = [m.row(0, seat)[1] for seat in range(m.seats)]
        assert (number in held) == (kind in ("sync", "gthread"))  # others' are the gateway's to know


@pytest.mark.parametrize("kind", KINDS)
def test_bad_wire_is_status_5(kind):
    with worker(kind) as (m, w):
        (w.own or m.lane).send(b"\xff\xff")
        assert w.wait() == 5
        assert "not a request" in m.stderr()


@pytest.mark.parametrize("kind", KINDS)
def test_master_and_gateway_gone_is_the_end(kind):
    with worker(kind) as (m, w):
        for end in [*w.replies, w.report, *([w.own] if w.own else [m.lane, m.lane_end])]:
            end.close()
        assert w.wait() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_asgi_application_is_refused_by_name(kind):
    needs(kind)
    with Master("aplain", options=options(kind), quiet=False) as m:
        m.configure()
        w = m.spawn()
        stage, text = w.fact()[1:]
        assert stage == "load" and text.startswith("aplain is an ASGI application")
        assert w.wait() == 4


def test_thread_that_cannot_be_started_is_a_boot_failure():
    with Master("no_threads", options={"worker_class": "gthread", "threads": 4}) as m:
        m.configure()
        w = m.spawn()
        stage, text = w.fact()[1:]
        assert stage == "boot" and "of 4 cannot be started" in text
        assert w.wait() == 3
