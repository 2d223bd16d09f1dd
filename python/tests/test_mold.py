"""The mold against every order and every end that a master can give it."""

import errno
import os
import signal
import socket
import subprocess
import sys

import fakemaster
import pytest
from fakemaster import LOOPS, OPTIONS, Master, Worker, pair, receive, send

from indrik import mold


def parent(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as names:
        return names.read().split()


def fds(pid):
    return sorted(os.listdir(f"/proc/{pid}/fd"))


def test_forked_worker_is_already_ours():
    """The master watches a worker by pidfd from the moment it hears of it, so it must be
    its child by then, and not that of the process in the middle."""
    with Master() as m:
        m.configure()
        for _ in range(25):
            w = m.spawn()
            assert parent(w.pid) == os.getpid()
            assert children(m.mold.pid) == []
            assert w.fact() == ("ready", "wsgi", 1, False)
            os.kill(w.pid, signal.SIGKILL)
            assert w.wait() == -signal.SIGKILL


def test_mold_keeps_nothing_of_a_spawn():
    with Master() as m:
        m.configure()
        m.ready(0)
        before = fds(m.mold.pid)
        for slot in (1, 2, 3):
            m.ready(slot)
        assert fds(m.mold.pid) == before


def test_lane_of_its_own_that_is_not_needed_is_closed():
    """The master makes one before anybody knows what the application is."""
    with Master(options={"worker_class": "auto"}) as m:
        m.configure()
        w = m.spawn()
        assert w.own is not None
        assert w.fact() == ("ready", "wsgi", 1, False)
        assert receive(w.own)[0] is None
        assert m.get(w).status == "200 OK"


def test_workers_death_is_end_of_file():
    """Nobody but the worker may hold its report and reply sockets."""
    with Master() as m:
        m.configure()
        w = m.ready(0)
        m.ready(1)
        os.kill(w.pid, signal.SIGKILL)
        w.wait()
        assert w.fact() is None
        assert [receive(reply)[0] for reply in w.replies] == [None] * LOOPS


@pytest.mark.parametrize(
    ("order", "count"),
    [
        (("spawn",), 1 + LOOPS),
        (("spawn", 0), 1 + LOOPS),
        (("spawn", 0, False, 0), 1 + LOOPS),
        (("spawn", 0, "no"), 1 + LOOPS),
        (("spawn", "zero", False), 1 + LOOPS),
        (("spawn", None, False), 1 + LOOPS),
        (("spawn", -1, False), 1 + LOOPS),
        (("spawn", 4, False), 1 + LOOPS),
        (("spawn", 1 << 70, False), 1 + LOOPS),
        (("spawn", 0, False), 0),
        (("spawn", 0, False), 1),
        (("spawn", 0, False), 2 + LOOPS),
        (("spawn", 0, True), 1 + LOOPS),
        (("spawn", 0, False), 64),
    ],
)
def test_wrong_spawn_order_is_refused_and_leaks_nothing(order, count):
    with Master() as m:
        m.configure()
        before = fds(m.mold.pid)
        with open(os.devnull) as null:
            send(m.channel, order, *[null.fileno()] * count)
        fact = m.fact()
        assert (fact[0], fact[2]) == ("not forked", errno.EINVAL) and "spawn" in fact[3]
        assert fds(m.mold.pid) == before
        m.ready()


def test_descriptors_that_are_no_sockets_cost_the_worker_not_the_mold():
    """The worker finds out, after the fork."""
    with Master(quiet=False) as m:
        m.configure()
        with open(os.devnull) as null:
            send(m.channel, ("spawn", 0, False), *[null.fileno()] * (1 + LOOPS))
        fact = m.fact()
        assert fact[0] == "forked"
        dead = Worker(0, fact[2], pair()[0], [])
        m.workers.append(dead)
        assert dead.wait() == 1
        m.ready()


@pytest.mark.parametrize("order", [("dance",), ("configure", {})])
def test_unknown_order_is_the_end(order):
    m = Master()
    with pytest.raises(AssertionError, match="mold ended with 1"), m:
        m.configure()
        send(m.channel, order)
        fact = m.fact()
        assert fact[0] == "failed" and repr(order[0]) in fact[1]
        assert m.fact() is None
    assert m.mold.returncode == 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"worker_class": "tornado"}, "no worker class 'tornado'"),
        ({"options": None}, "settings that cannot be read"),
        ({"generation": "one"}, "settings that cannot be read"),
        ({"pythonpath": None}, "settings that cannot be read"),
        ({"loops": None}, "settings that cannot be read"),
    ],
)
def test_mold_says_why_it_cannot_work(settings, says):
    m = Master(settings=settings)
    with pytest.raises(AssertionError, match="mold ended with 1"), m:
        fact = m.configure()
        assert fact[0] == "failed" and says in fact[1]
    assert m.mold.returncode == 1


def test_lane_without_timeout_is_refused():
    m = Master()
    with pytest.raises(AssertionError, match="mold ended with 1"), m:
        m.lane_end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bytes(16))
        assert "receive timeout" in m.configure()[1]


def test_scoreboard_that_is_none_is_refused():
    m = Master()
    with pytest.raises(AssertionError, match="mold ended with 1"), m:
        os.pwrite(m.scoreboard, bytes(8), 0)
        assert "magic" in m.configure()[1]


def test_descriptors_of_the_wrong_kind_are_refused():
    m = Master()
    with pytest.raises(AssertionError, match="mold ended with 1"), m:
        good = {"app": "a", "generation": 1, "name": "", "pythonpath": [], "worker_class": "sync", "loops": LOOPS}
        good.update(options=OPTIONS, settings={}, seconds={})
        send(m.channel, ("configure", good), m.scoreboard, m.scoreboard)
        fact = m.fact()
        assert fact[0] == "failed" and "cannot be set up" in fact[1]


def test_configure_without_descriptors_is_refused():
    m = Master()
    with pytest.raises(AssertionError, match="mold ended with 1"), m:
        send(m.channel, ("configure", {}))
        assert "0 descriptors" in m.fact()[1]


def test_mold_leaves_at_end_of_file_and_workers_stay():
    """A mold may die and be replaced without the workers noticing."""
    with Master() as m:
        m.configure()
        w = m.ready()
        m.channel.close()
        assert m.mold.wait(fakemaster.LIMIT) == 0
        assert m.get(w).status == "200 OK"
        assert w.retire() == 0


def test_mold_killed_is_no_matter_to_workers():
    m = Master()
    with pytest.raises(AssertionError, match="mold ended with -9"), m:
        m.configure()
        w = m.ready()
        m.mold.kill()
        m.mold.wait(fakemaster.LIMIT)
        assert m.get(w).status == "200 OK"
        assert w.retire() == 0


def test_terminal_interrupt_is_not_for_mold_or_workers():
    with Master() as m:
        m.configure()
        w = m.ready()
        for _ in range(5):
            os.kill(m.mold.pid, signal.SIGINT)
            os.kill(w.pid, signal.SIGINT)
        assert m.get(w).status == "200 OK"
        assert m.ready(1).retire() == 0
        assert w.retire() == 0


def test_usage():
    command = [sys.executable, "-m", "indrik", "--channel", "x"]
    done = subprocess.run(command, cwd=fakemaster.PYTHON, stderr=subprocess.PIPE, timeout=fakemaster.LIMIT)
    assert done.returncode == 2 and b"usage:" in done.stderr


def fork_twice_where(happens):
    """What mold._fork_twice says, in a process of its own, if at its first or second
    _fork something happens before: the errno, or 0 if it forked, or -1 for a leak."""
    tester = os.fork()
    if tester:
        return os.waitstatus_to_exitcode(os.waitpid(tester, 0)[1])
    code = 255
    try:
        real, calls = os.fork, []

        def fork():
            calls.append(1)
            happens(len(calls))
            return real()

        before = fds(os.getpid())
        mold._fork = fork
        try:
            code = 0 if mold._fork_twice() else 254
        except OSError as error:
            code = error.errno or 253
        if fds(os.getpid()) != before:
            code = 252
    finally:
        os._exit(code)


@pytest.mark.parametrize("step", [1, 2])
def test_fork_that_fails_is_a_fact(step):
    def fail(call):
        if call == step:
            raise OSError(errno.EAGAIN, "no more processes")

    assert fork_twice_where(fail) == errno.EAGAIN


def test_middle_process_that_dies_is_a_fact():
    def die(call):
        if call == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    assert fork_twice_where(die) == errno.ECHILD


def test_middle_process_never_lives_on_as_a_second_mold():
    def surprise(call):
        if call == 2:
            raise MemoryError

    assert fork_twice_where(surprise) == errno.ECHILD
