"""Retirement: no request that a worker took is lost, none is taken after, at any moment."""

import marshal
import os
import random
import select
import signal
import socket
import time

from fakemaster import LIMIT, Master, receive, until


def test_idle_worker_leaves_at_once():
    """Not after the receive timeout of the lane."""
    with Master() as m:
        m.configure()
        times = []
        for _ in range(10):
            w = m.ready()
            before = time.monotonic()
            assert w.retire() == 0
            times.append(time.monotonic() - before)
        assert sorted(times)[5] < 0.5, times


def test_request_in_hand_is_finished(tmp_path):
    with Master("gallery:waits") as m:
        m.configure()
        w = m.ready()
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        number = m.ask(PATH_INFO=str(fifo))
        until(lambda: m.row()[1] == number)
        for _ in range(3):
            os.kill(w.pid, signal.SIGTERM)
        later = m.ask(PATH_INFO=str(fifo))
        fifo.write_bytes(b"done")
        assert m.answer(w, number).body == b"done"
        assert w.wait() == 0
        successor = m.ready()
        fifo.write_bytes(b"by another")
        assert m.answer(successor, later).body == b"by another"


def test_orders_that_come_too_late_harm_nobody():
    """When the interpreter ends, signals have their default meaning again."""
    with Master("signalled_at_the_end") as m:
        m.configure()
        w = m.ready()
        assert m.answer(w, m.ask()).body == b"fine"
        assert w.retire() == 0


def test_stream_is_written_to_its_end():
    with Master("gallery:default_timeout") as m:
        m.configure()
        w = m.ready()
        m.ask()
        _, fds = receive(w.replies[0])
        os.kill(w.pid, signal.SIGTERM)
        size = 0
        with socket.socket(fileno=fds[0]) as stream:
            stream.settimeout(LIMIT)
            while data := stream.recv(1 << 16):
                size += len(data)
        assert size == 5_000_000
        assert receive(w.replies[0])[0][1:] == (None, True, "")
        assert w.wait() == 0


class Traffic:
    """Keeps requests on the lane and notes every answer."""

    def __init__(self, master):
        self.master, self.asked, self.answers = master, [], {}

    def top_up(self, outstanding):
        while len(self.asked) - len(self.answers) < outstanding:
            self.asked.append(self.master.ask())

    def collect(self, workers, wait):
        replies = {reply: w for w in workers for reply in w.replies}
        for reply in select.select(list(replies), [], [], wait)[0]:
            reply.setblocking(False)
            while True:
                try:
                    data = reply.recv(1 << 17)
                except BlockingIOError:
                    break
                if not data:
                    break
                number, status, _, body = marshal.loads(data)
                assert number not in self.answers, "answered twice"
                assert (status, body) == ("200 OK", b"Hello, world!")
                self.answers[number] = replies[reply].pid


def test_no_request_is_lost_under_load():
    """Two workers share the lane; one after the other is retired at a random moment and
    replaced, while requests never stop. Every request is answered once, and every
    worker leaves with status 0."""
    rounds = 150
    chance = random.Random(20)
    with Master() as m:
        m.configure()
        traffic = Traffic(m)
        workers = [m.ready(0), m.ready(1)]
        for turn in range(rounds):
            end = time.monotonic() + chance.uniform(0, 0.01)
            while time.monotonic() < end:
                traffic.top_up(8)
                traffic.collect(workers, 0)
            leaver = workers[turn % 2]
            os.kill(leaver.pid, signal.SIGTERM)
            traffic.top_up(8)
            assert leaver.wait() == 0
            traffic.collect(workers, 0)
            workers[turn % 2] = m.ready(turn % 2)
        end = time.monotonic() + LIMIT
        while len(traffic.answers) < len(traffic.asked):
            assert time.monotonic() < end, f"lost {set(traffic.asked) - set(traffic.answers)}"
            traffic.collect(workers, 0.1)
        assert len(traffic.asked) > 10 * rounds
        for w in workers:
            assert w.retire() == 0
        assert len(set(traffic.answers.values())) > rounds // 4


def test_message_and_signal_at_once():
    """A request and SIGTERM reach a waiting worker together: it either answers the
    request or leaves it on the lane for the next one, and never takes and drops it."""
    taken = 0
    with Master() as m:
        m.configure()
        for turn in range(150):
            w = m.ready()
            if turn % 2:
                os.kill(w.pid, signal.SIGTERM)
                number = m.ask()
            else:
                number = m.ask()
                os.kill(w.pid, signal.SIGTERM)
            assert w.wait() == 0
            if select.select([w.replies[0]], [], [], 0)[0] and (first := receive(w.replies[0])[0]) is not None:
                assert first[0] == number
                taken += 1
            else:
                successor = m.ready(1)
                assert m.answer(successor, number).body == b"Hello, world!"
                assert successor.retire() == 0
                successor.let_go()
            w.let_go()
    assert taken > 0
