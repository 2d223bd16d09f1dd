"""Connections that WSGI applications take over, from the gateway's side."""

import importlib.util
import os
import socket

import pytest
from fakemaster import LIMIT, Master, environ, send, until

CLASSES = [
    "gthread",
    *(
        pytest.param(name, marks=pytest.mark.skipif(importlib.util.find_spec(name) is None, reason="not installed"))
        for name in ("gevent", "eventlet")
    ),
]


class Office:
    """A master with one worker of a class that is offered connections."""

    def __init__(self, kind):
        options = {"worker_class": kind, "threads": 2}
        self.master = Master("upgrade_gallery:shop", options=options, quiet=False)

    def __enter__(self):
        self.master.__enter__()
        self.master.configure()
        self.worker = self.master.ready()
        return self

    def __exit__(self, *error):
        self.master.__exit__(*error)

    def offer(self, app):
        number = self.master.next_id()
        ours, theirs = socket.socketpair()
        ours.settimeout(LIMIT)
        with theirs:
            self.master.beside[number] = os.dup(theirs.fileno())
        send(self.master.newest or self.master.lane, (number, environ(QUERY_STRING=app), "socket"))
        self.master.hand(number)
        return number, ours

    def end(self, number):
        return self.worker.reply(number)[0][1:]

    def ordinary(self):
        return self.master.answer(self.worker, self.master.ask(QUERY_STRING="ordinary"))


@pytest.fixture(params=CLASSES)
def office(request):
    with Office(request.param) as o:
        yield o


@pytest.mark.parametrize("app", ["by_stop_iteration", "by_nothing", "by_a_reply"])
def test_taken(office, app):
    number, sock = office.offer(app)
    big = b"telegraph " * 100_000
    assert sock.recv(4) == b"101\n"
    rest, got = memoryview(big), b""
    while len(got) < len(big):
        rest = rest[sock.send(rest[: 1 << 14]) :]
        got += sock.recv(1 << 20)
    assert got == big
    sock.shutdown(socket.SHUT_WR)
    assert sock.recv(1) == b""
    if app == "by_a_reply":
        assert office.end(number) == ("200 OK", (), b"dropped by the gateway")
    else:
        assert office.end(number) == (None, True, "")
    assert office.ordinary().status == "200 OK"
    assert "Traceback" not in office.master.stderr()


def test_a_send_sends_everything(office):
    number, sock = office.offer("floods")
    got = b""
    while data := sock.recv(1 << 16):
        got += data
    assert got == b"telegraph " * 600_000
    assert office.end(number) == (None, True, "")


def test_not_taken(office):
    number, sock = office.offer("declines")
    assert office.end(number) == ("400 Bad Request", (), b"no")
    assert sock.recv(1) == b""
    assert "Traceback" not in office.master.stderr()


def test_an_application_that_fails(office):
    number, sock = office.offer("raises")
    assert sock.recv(4) == b"101\n"
    assert office.end(number)[0].startswith("500")
    assert sock.recv(1) == b""
    assert office.master.stderr().count("ValueError: in the middle") == 1


def test_a_stop_iteration_of_an_ordinary_request_is_a_failure(office):
    number = office.master.ask(QUERY_STRING="stops")
    assert office.master.answer(office.worker, number).status.startswith("500")
    assert "StopIteration" in office.master.stderr()


def test_nothing_is_left(office):
    def fds():
        return len(os.listdir(f"/proc/{office.worker.pid}/fd"))

    threads = office.ordinary().body
    before = fds()
    for _ in range(5):
        number, sock = office.offer("leaves_a_reader")
        assert sock.recv(4) == b"101\n"
        assert office.end(number) == (None, True, "")
        assert sock.recv(1) == b""
        sock.close()
    until(lambda: office.ordinary().body == threads)
    until(lambda: fds() == before)
