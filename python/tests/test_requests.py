"""One request at a time through a real worker: every shape of answer."""

import json
import os
import random
import socket
import tempfile
import threading
import time

import pytest
from fakemaster import LIMIT, Master, fine, play, receive, until


@pytest.mark.parametrize(
    ("app", "kind", "body"),
    [
        ("hello", "inline", b"Hello, world!"),
        ("valid_hello", "inline", b"Hello, world!"),
        ("generator", "stream", b"one two three"),
        ("lazy_start", "stream", b"late"),
        ("exact_generator", "inline", b"exact"),
        ("too_much", "inline", b"12345"),
        ("empty_generator", "inline", b""),
        ("empty_list", "inline", b""),
        ("sized_one", "inline", b"the only one"),
        ("sized_two", "stream", b"one of two"),
        ("chunks_list", "inline", b"abc"),
        ("page", "inline", b"p" * (112 << 10)),
        ("longer_page", "file", b"p" * (112 << 10) + b"q"),
        ("big_list", "file", b"x" * 300_000 + b"y" * 300_000),
        ("big_first", "stream", b"x" * 300_000 + b"y"),
        ("big_headers", "file", b"z" * 60_000),
        ("big_headers_stream", "stream", b"z" * 60_000 + b"end"),
        ("writes", "stream", b"written twice and returned"),
        ("writes_all", "inline", b"all"),
        ("recovers", "inline", b"sorry"),
        ("subclassed", "inline", b"ok"),
        ("lists_for_pairs", "inline", b"ok"),
        ("wrapped_memory", "stream", b"m" * 20_000),
        ("wrapped_pipe", "stream", b"through a pipe"),
        ("wrapped_temporary", "file", b"t" * 99_990),
        ("wrapped_gzip", "stream", random.Random(1).randbytes(200_000)),
        ("default_timeout", "stream", b"x" * 1000 + b"y" * 5_000_000),
        ("forks", "inline", b"-15"),
    ],
    # Without the bodies: pytest puts its ids into the environment, which has a limit.
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_answer(shop, app, kind, body):
    """The way an answer travels is part of the contract: inline is the fast path, and
    only what must be a stream is one."""
    _, w = shop
    before = w.fds()
    got = play(shop, app)
    assert got.complete and got.body == body and got.kind == kind
    assert all(type(pair) is tuple for pair in got.headers)
    fine(shop)
    assert w.fds() == before


def test_early_hints(shop):
    """Each call is one informational response, ahead of the reply; none is sent after
    its beginning, and wrong ones are errors in the application."""
    m, _ = shop
    got = play(shop, "hints")
    assert got.status == "200 OK" and got.body == b"begun Hello, world!"
    assert m.hints == [
        (103, [("Link", "</style.css>; rel=preload; as=style"), ("X-Latin", "caf\xe9")]),
        (103, []),
    ]


def test_start_response_takes_final_statuses_only(noisy):
    m, _ = noisy
    assert play(noisy, "informs_by_start").status.startswith("500")
    assert "wsgi.early_hints" in m.stderr()


def test_latin1_headers_travel(shop):
    assert play(shop, "subclassed").headers[1] == ("X-Latin", "caf\xe9")


def test_both_loops_get_their_replies(shop):
    m, w = shop
    for loop in (1, 0, 1):
        number = m.ask(loop=loop, QUERY_STRING="hello")
        assert m.answer(w, number).body == b"Hello, world!"


@pytest.mark.parametrize("size", [0, 1, 1000, 65536])
def test_inline_body_is_read(shop, size):
    data = os.urandom(size)
    assert play(shop, "echo", data).body == data


def test_body_in_a_file(shop):
    m, w = shop
    before = w.fds()
    with tempfile.TemporaryFile() as file:
        file.write(b"line one\n" + b"x" * 3_000_000)
        file.seek(0)
        number = m.ask(file.fileno(), QUERY_STRING="digest")
    assert m.answer(w, number).body == b"3000009 b'line one\\n' False"
    fine(shop)
    assert w.fds() == before


def test_file_input_is_closed_after_the_request(shop):
    m, w = shop
    with tempfile.TemporaryFile() as file:
        answer = m.answer(w, m.ask(file.fileno(), QUERY_STRING="keeps_input"))
    assert answer.body == b"[False]"
    assert play(shop, "keeps_input").body == b"[True, False]"


def test_first_chunk_comes_before_the_second_is_made(shop, tmp_path):
    m, w = shop
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    m.ask(PATH_INFO=str(fifo), QUERY_STRING="stepwise")
    message, fds = receive(w.replies[0])
    assert message[3:] == (None, b"first")
    with open(fifo, "wb") as f:
        f.write(b"second")
    with socket.socket(fileno=fds[0]) as stream:
        stream.settimeout(LIMIT)
        assert stream.recv(100) == b"second"
        end, _ = receive(w.replies[0])  # before the stream is closed
        assert end[1:] == (None, True, "")
        assert stream.recv(100) == b""


def test_generator_runs_to_its_end_after_its_last_chunk(shop):
    play(shop, "exact_generator")
    assert json.loads(play(shop, "story").body) == ["after the last chunk"]


@pytest.mark.parametrize("app", ["closing", "endless_write"])
def test_client_that_leaves_stops_the_application(shop, app):
    m, w = shop
    before = w.fds()
    m.ask(PATH_INFO="endless", QUERY_STRING=app)
    message, fds = receive(w.replies[0])
    assert message[3] is None
    os.close(fds[0])
    end, _ = receive(w.replies[0])
    assert end[1:3] == (None, False)
    story = json.loads(play(shop, "story").body)
    assert story == {"closing": ["closed"], "endless_write": ["ClientLeft"]}[app]
    assert w.fds() == before


def test_slow_client_holds_the_application_back(shop):
    """The stream's buffer is the back-pressure: an endless body waits in it."""
    m, w = shop
    m.ask(PATH_INFO="endless", QUERY_STRING="closing")
    _, fds = receive(w.replies[0])

    def state():
        with open(f"/proc/{w.pid}/wchan") as wchan, open(f"/proc/{w.pid}/stat") as stat:
            return wchan.read(), stat.read().rpartition(")")[2].split()[0]

    until(lambda: state()[1] == "S")
    with socket.socket(fileno=fds[0]) as stream:
        stream.settimeout(LIMIT)
        read = 0
        while read < 10_000_000:
            read += len(stream.recv(1 << 20))
    assert receive(w.replies[0])[0][2] is False
    fine(shop)


def test_applications_default_timeout_does_not_cut_a_slow_client_off(shop):
    m, w = shop
    m.ask(QUERY_STRING="default_timeout")
    _, fds = receive(w.replies[0])
    time.sleep(0.2)  # longer than that timeout: the client's slowness, not a condition
    with socket.socket(fileno=fds[0]) as stream:
        stream.settimeout(LIMIT)
        size = 0
        while data := stream.recv(1 << 16):
            size += len(data)
    assert size == 5_000_000
    assert receive(w.replies[0])[0][1:] == (None, True, "")


@pytest.mark.parametrize(
    ("size", "query", "kind", "span"),
    [
        (0, "", "inline", (0, 0)),
        (100, "", "file", (0, 100)),
        (500_000, "", "file", (0, 500_000)),
        (500_000, "1000,", "file", (1000, 500_000)),
        (500_000, "1000,5000", "file", (1000, 6000)),
        (500_000, "0,900000", "file", (0, 500_000)),
        (500_000, "500000,", "inline", (0, 0)),
        (500_000, "600000,", "inline", (0, 0)),
    ],
)
def test_file_is_sent_as_itself(tmp_path, size, query, kind, span):
    data = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    with Master("gallery:wrapped") as files:
        files.configure()
        v = files.ready()
        files.ask(PATH_INFO=str(path), QUERY_STRING=query)
        message, fds = receive(v.replies[0])
        begin, end = span
        if kind == "inline":
            assert message[3] == b"" and not fds
            return
        assert message[3] == (begin, end - begin)
        assert os.path.samestat(os.fstat(fds[0]), os.stat(path))
        assert os.pread(fds[0], size, begin)[: end - begin] == data[begin:end]
        os.close(fds[0])
        v.retire()


def test_broken_rule_points_at_the_line_that_broke_it(noisy):
    play(noisy, "bad_head", PATH_INFO="crlf")
    m, _ = noisy
    lines = m.stderr().splitlines()
    assert "start_response(*HEADS" in lines[-2] or "start_response(*HEADS" in lines[-3]
    assert lines[-1].startswith("indrik.BrokenRule: PEP 3333: ")


def test_busy_worker_is_on_the_scoreboard(shop, tmp_path):
    m, w = shop
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    number = m.ask(PATH_INFO=str(fifo), QUERY_STRING="waits")
    until(lambda: m.row()[1] == number and m.row()[0] == m.row()[2])  # the beat comes last
    beat, _, start, answered, *_ = m.row()
    assert beat == start > 0 and answered == 0
    fifo.write_bytes(b"go")
    assert m.answer(w, number).body == b"go"
    until(lambda: m.row()[1] == 0)
    assert m.row()[0] > beat and m.row()[3] == 1


def test_one_thousand_requests_leak_nothing(shop):
    _, w = shop
    for app in ("generator", "big_list", "wrapped_temporary", "hello"):
        play(shop, app)
    before = w.fds()

    def feed():
        for _ in range(250):
            for app in ("generator", "big_list", "wrapped_temporary", "hello"):
                play(shop, app)

    feeder = threading.Thread(target=feed)
    feeder.start()
    feeder.join(60)
    assert not feeder.is_alive()
    assert w.fds() == before
