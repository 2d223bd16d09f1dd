"""Bodies that are read as they arrive: every way to read, and every way to be cut."""

import hashlib
import os
import socket

import pytest
from fakemaster import LIMIT, Master, environ, fine, memory, needs, play, receive, send, until

LINES = b"abcdef\n0123456789\nx\n\nlast line\nyzunfinished"
READ = [b"", b"abc", b"def\n", b"0123", b"456789\n", [b"x\n"], [b"\n"], b"la", b"st line\nyzunfinished"]
READ += [b"", b"", b"", [], []]


def whole(stream, data):
    """What the gateway does with a body that is complete."""
    assert stream.recv(1, socket.MSG_PEEK) == b"."
    stream.sendall(data)
    assert stream.recv(10) == b"."
    stream.close()


def test_every_way_to_read(shop):
    """A body on a socket, in a message and in a file cannot be told apart."""
    m, w = shop
    assert play(shop, "reads", LINES).body == repr(READ).encode()
    number, stream = m.ask_streamed(len(LINES), QUERY_STRING="reads")
    whole(stream, LINES)
    assert m.answer(w, number).body == repr(READ).encode()


def test_large_body_arrives(shop):
    m, w = shop
    before = w.fds()
    data = os.urandom(3_000_001)
    want = f"{len(data)} {hashlib.sha256(data).hexdigest()}"
    for length, seen in ((len(data), str(len(data))), (-1, "None")):
        number, stream = m.ask_streamed(length, QUERY_STRING="digests")
        whole(stream, data)
        assert m.answer(w, number).body.decode() == f"{want} {seen}"
    fine(shop)
    assert w.fds() == before


def test_body_and_answer_at_the_same_time(shop):
    """Nothing waits for the whole body: a line is answered before the next is sent."""
    m, w = shop
    number, stream = m.ask_streamed(QUERY_STRING="echoes_lines")
    assert stream.recv(1, socket.MSG_PEEK) == b"."
    stream.sendall(b"one\n")
    message, fds = receive(w.replies[0])
    assert message[0] == number and message[4] == b"ONE\n"
    with socket.socket(fileno=fds[0]) as answer:
        answer.settimeout(LIMIT)
        for line in (b"two\n", b"three\n"):
            stream.sendall(line)
            assert answer.recv(100) == line.upper()
        stream.recv(10)
        stream.close()
        end, _ = receive(w.replies[0])
        assert end == (number, None, True, "")
        assert answer.recv(1) == b""


def test_cut_body(shop):
    """A body that was cut is an error that the application can handle, after what came."""
    m, w = shop
    number, stream = m.ask_streamed(1000, QUERY_STRING="survives_a_cut")
    assert stream.recv(1, socket.MSG_PEEK) == b"."
    stream.sendall(b"abc")
    stream.close()
    assert m.answer(w, number).body == b"abc BodyCut: the request body ended before it was complete"
    fine(shop)


def test_cut_body_that_nobody_handles(shop):
    """It is the client's failure: a 500 that nobody will see, and no traceback."""
    m, w = shop
    for early in (True, False):
        number, stream = m.ask_streamed(1000, QUERY_STRING="digests")
        if not early:
            assert stream.recv(1, socket.MSG_PEEK) == b"."
            stream.sendall(b"abc")
        stream.close()
        assert m.answer(w, number).status.startswith("500")
    fine(shop)


def test_unread_body_is_not_asked_for(shop):
    m, w = shop
    number, stream = m.ask_streamed(1000, QUERY_STRING="hello")
    assert m.answer(w, number).body == b"Hello, world!"
    assert stream.recv(1) == b""  # closed, and no wish came before
    stream.close()
    fine(shop)


def test_a_request_that_has_ended_is_forgotten(shop):
    """Its client left while it lay on the lane, or its gateway died: no descriptor, no call."""
    m, w = shop
    before = w.fds()
    send(m.lane, (m.next_id(), environ(QUERY_STRING="dies"), None))
    w.take(0)  # the question, which is answered with nothing
    assert m.row()[1] == 0 and w.early == []
    fine(shop)
    assert w.fds() == before


def test_a_gateway_that_dies_with_the_question_is_asked_again(shop):
    m, w = shop
    number = m.next_id()
    send(m.lane, (number, environ(QUERY_STRING="reads"), None))
    assert receive(w.replies[0])[0] == (number, "descriptor")  # and says nothing more
    m.beside[number] = memory(LINES)
    assert m.answer(w, number).body == repr(READ).encode()


def test_an_answer_that_comes_twice_is_thrown_away(shop):
    _, w = shop
    before = w.fds()
    for body in (0, 1):
        send(w.replies[0], (4711 + body,), body)  # late ones, about others
    fd = memory(LINES)
    assert play(shop, "reads", fd).body == repr(READ).encode()
    os.close(fd)
    until(lambda: w.fds() == before)


@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent", "eventlet"])
def test_a_worker_that_leaves_does_not_wait_for_a_gateway_that_has_left(kind):
    needs(kind)
    with Master("gallery:shop", options={"worker_class": kind}, quiet=False) as m:
        m.configure()
        w = m.ready()
        send(m.newest or m.lane, (m.next_id(), environ(), None))
        assert receive(w.replies[0])[0][1] == "descriptor"  # and nobody answers
        assert w.retire() == 0
