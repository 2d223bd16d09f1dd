"""One request at a time through a real worker: every shape of answer, every mistake."""

import json
import os
import random
import signal
import socket
import struct
import tempfile
import threading
import time

import pytest
from fakemaster import LIMIT, Master, environ, receive, send, until

NO_STRINGS = (
    *("bytes-value", "bytes-name", "bytes-both", "int-value", "triple", "not-pairs", "none"),
    *("bytes-status", "int-status"),
)
NO_STATUS = ("no-status", "word-status", "long-code", "superscript", "interim")


@pytest.fixture
def shop():
    """A worker that plays any application of the gallery; its log must stay empty."""
    with Master("gallery:shop") as m:
        m.configure()
        yield m, m.ready()


@pytest.fixture
def noisy():
    """The same, for applications that are to leave a traceback."""
    with Master("gallery:shop", quiet=False) as m:
        m.configure()
        yield m, m.ready()


def play(place, app, body=b"", **more):
    m, w = place
    return m.get(w, body, QUERY_STRING=app, **more)


def fine(place):
    """The worker serves on and has forgotten nothing and leaked nothing."""
    assert play(place, "hello").body == b"Hello, world!"


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
    ("app", "path", "says"),
    [
        ("raises", "/", "ZeroDivisionError: by the application"),
        ("raises_after_start", "/", "ZeroDivisionError: after start_response"),
        ("raises_at_first", "/", "ZeroDivisionError: before the first chunk"),
        ("exits", "/", "SystemExit: 5"),
        ("starts_twice", "/", "PEP 3333: start_response may be called again only with exc_info"),
        ("never_starts", "/", "PEP 3333: start_response must be called before"),
        ("never_starts_generator", "/", "PEP 3333: start_response must be called before"),
        ("never_starts_empty", "/", "PEP 3333: start_response must be called before"),
        ("writes_text", "/", "PEP 3333: write() takes bytes, not str"),
        ("huge_headers", "/", "message of more than 131072 bytes"),
        ("huge_headers_stream", "/", "message of more than 131072 bytes"),
        ("bad_head", "crlf", "PEP 3333: no control characters in the header 'X-Bad'"),
        ("bad_head", "newline-name", "PEP 3333: no control characters"),
        ("bad_head", "nul", "PEP 3333: no control characters"),
        ("bad_head", "crlf-status", "PEP 3333: no control characters in the status"),
        ("bad_head", "wide", "PEP 3333: only ISO-8859-1 characters in the header 'X-Bad'"),
        *[("bad_head", name, "PEP 3333: start_response takes") for name in NO_STRINGS],
        *[("bad_head", name, "PEP 3333: a status such as '200 OK'") for name in NO_STATUS],
        ("bad_body", "list", "PEP 3333: the body consists of bytes"),
        ("bad_body", "mixed", "PEP 3333: the body consists of bytes"),
        ("bad_body", "str", "PEP 3333: the body consists of bytes, not of str"),
        ("bad_body", "bytes", "PEP 3333: the body consists of bytes, not of int"),
        ("bad_body", "none", "'NoneType' object is not iterable"),
        ("bad_body", "number", "'int' object is not iterable"),
        ("closing", "first", "ZeroDivisionError: first"),
        ("closing", "text", "PEP 3333: the body consists of bytes, not of str"),
    ],
)
def test_failure_before_the_head_is_a_500_and_told_once(noisy, app, path, says):
    m, w = noisy
    before = w.fds()
    number = m.ask(PATH_INFO=path, QUERY_STRING=app)
    got = m.answer(w, number)
    assert got.status == "500 Internal Server Error" and b"<h1>" in got.body
    assert dict(got.headers)["Content-Length"] == str(len(got.body))
    fine(noisy)
    assert w.fds() == before
    text = m.stderr()
    assert text.count(says) == 1
    assert text.count("Traceback (most recent call last)") <= 1  # none if the application is in no frame
    assert text.startswith(f"request {number:#x} GET {path!r} failed:\n")


@pytest.mark.parametrize(
    ("app", "path", "says"),
    [
        ("raises_late", "/", "ZeroDivisionError: after the first chunk"),
        ("closing", "late", "ZeroDivisionError: late"),
        ("recovers_too_late", "/", "ZeroDivisionError: too late"),
        ("raises_surrogate", "/", "ValueError: bad \\udce9 text"),
    ],
)
def test_failure_in_the_body_is_told_at_its_end(noisy, app, path, says):
    m, _ = noisy
    got = play(noisy, app, PATH_INFO=path)
    assert got.kind == "stream" and not got.complete and got.text == says
    assert says in m.stderr()
    fine(noisy)


def test_error_in_close_does_not_spoil_a_finished_reply(noisy):
    m, _ = noisy
    got = play(noisy, "closing", PATH_INFO="raises")
    assert got.complete and got.body == b"onetwo"
    until(lambda: "ZeroDivisionError: close" in m.stderr())
    got = play(noisy, "closing", PATH_INFO="empty-raises")
    assert got.status == "200 OK" and got.body == b""
    fine(noisy)


@pytest.mark.parametrize("path", ["list", "late", "first", "raises", "empty-raises", "text"])
def test_close_is_called_exactly_once(noisy, path):
    play(noisy, "closing", PATH_INFO=path)
    assert json.loads(play(noisy, "story").body) == ["closed"]


def test_traceback_does_not_show_our_frames(noisy):
    m, _ = noisy
    play(noisy, "raises", PATH_INFO="/a\nb")
    text = m.stderr()
    assert "indrik/" not in text and text.splitlines()[0].endswith("GET '/a\\nb' failed:")


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


def test_interrupt_raised_by_the_application_ends_the_worker():
    """BaseException is not ours to catch; the row still names the request, which is how
    the master knows whose client to tell."""
    with Master("gallery:shop", quiet=False) as m:
        m.configure()
        w = m.ready()
        number = m.ask(QUERY_STRING="interrupts")
        assert w.wait() != 0
        assert m.row()[1] == number


def test_crash_leaves_the_request_on_the_scoreboard_and_a_traceback():
    with Master("gallery:shop", quiet=False) as m:
        m.configure()
        w = m.ready()
        number = m.ask(QUERY_STRING="crashes")
        assert w.wait() == -signal.SIGSEGV
        assert m.row()[1] == number
        assert "Segmentation fault" in m.stderr() and "crashes" in m.stderr()


def test_busy_worker_is_on_the_scoreboard(shop, tmp_path):
    m, w = shop
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    number = m.ask(PATH_INFO=str(fifo), QUERY_STRING="waits")
    until(lambda: m.row()[1] == number)
    beat, _, start, answered, *_ = m.row()
    assert beat == start > 0 and answered == 0
    fifo.write_bytes(b"go")
    assert m.answer(w, number).body == b"go"
    until(lambda: m.row()[1] == 0)
    assert m.row()[0] > beat and m.row()[3] == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xff",
        b"i",
        struct.pack("<ci", b"i", 5),
        (1, {}),
        (1, {}, None),
        (63 << 56, {}, b""),
        (1, [], b""),
        ("1", {}, b""),
    ],
)
def test_bad_wire_is_status_5(noisy, garbage):
    m, w = noisy
    if isinstance(garbage, bytes):
        m.lane.send(garbage)
    else:
        send(m.lane, garbage)
    assert w.wait() == 5
    assert "not a request" in m.stderr()


def test_bad_wire_with_too_many_descriptors(noisy):
    m, w = noisy
    send(m.lane, (1, environ(), None), 0, 1, 2)
    assert w.wait() == 5


def test_worker_leaves_when_nobody_can_ask_or_listen():
    with Master("gallery:shop") as m:
        m.configure()
        a, b = m.ready(0), m.ready(1)
        m.lane.close()
        for reply in [*a.replies, *b.replies]:
            reply.close()
        m.lane_end.close()
        assert (a.wait(), b.wait()) == (0, 0)


def test_worker_leaves_when_nobody_takes_its_reply():
    with Master("gallery:shop") as m:
        m.configure()
        w = m.ready()
        for reply in w.replies:
            reply.close()
        m.ask(QUERY_STRING="hello")
        assert w.wait() == 0


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
