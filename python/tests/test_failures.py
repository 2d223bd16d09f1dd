"""Every mistake an application or the wire can make in a request."""

import json
import marshal
import signal
import struct

import pytest
from fakemaster import Master, environ, fine, play, receive, send, until

NO_STRINGS = (
    *("bytes-value", "bytes-name", "bytes-both", "int-value", "triple", "not-pairs", "none"),
    *("bytes-status", "int-status"),
)
NO_STATUS = ("no-status", "word-status", "long-code", "superscript")


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
        ("bad_head", "interim", "PEP 3333: '101 Switching Protocols' is no final status"),
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
    assert f"[ERROR] request {number:#x} GET {path!r} failed:\n" in text


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


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xff",
        b"i",
        struct.pack("<ci", b"i", 5),
        (1, {}),
        (1, {}, 1.5),
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


@pytest.mark.parametrize("answer", [b"not marshal", marshal.dumps((1, 2), 2), marshal.dumps(("1",), 2), bytes(100)])
def test_bad_answer_about_a_descriptor_is_status_5(noisy, answer):
    m, w = noisy
    send(m.lane, (1, environ(), None))
    assert receive(w.replies[0]) == ((1, "descriptor"), [])
    w.replies[0].send(answer)
    assert w.wait() == 5
    assert "who asked for a descriptor" in m.stderr()


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
