"""Messages, descriptors and the scoreboard, on real sockets and memfds."""

import array
import marshal
import os
import socket
import struct

import fakemaster
import pytest

from indrik import trouble, wire


@pytest.fixture
def ends():
    a, b = fakemaster.pair()
    channel = wire.Channel(b.detach())
    yield a, channel
    a.close()
    channel.close()


def open_fds():
    return set(os.listdir("/proc/self/fd"))


def test_channel_is_close_on_exec_and_blocking(ends):
    _, channel = ends
    fd = channel.shut_reading()
    assert not os.get_inheritable(fd) and os.get_blocking(fd)


def test_shut_reading_leaves_the_other_end_alone(ends):
    ours, channel = ends
    channel.shut_reading()
    assert channel.receive() is None
    channel.send("still", "heard")
    assert fakemaster.receive(ours)[0] == ("still", "heard")
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):  # it is not at its end
        ours.recv(1)


def test_received_descriptors_are_close_on_exec(ends):
    ours, channel = ends
    fakemaster.send(ours, ("spawn", 1), 0, 1, 2)
    message, fds = channel.receive()
    assert message == ("spawn", 1) and len(fds) == 3
    assert not any(os.get_inheritable(fd) for fd in fds)
    wire.close_all(fds)


@pytest.mark.parametrize("data", [b"x", b"garbage", marshal.dumps(5), marshal.dumps(()), marshal.dumps((1, "a"))])
def test_bad_messages_leak_no_descriptor(ends, data):
    ours, channel = ends
    before = open_fds()
    ours.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1]))])
    with pytest.raises(wire.WireError):
        channel.receive()
    assert open_fds() == before


def test_long_message_is_refused_not_cut(ends):
    ours, channel = ends
    fakemaster.send(ours, ("x", "y" * wire.MAX_MESSAGE))
    with pytest.raises(wire.WireError):
        channel.receive()


def test_send_to_nobody_is_peer_gone(ends):
    ours, channel = ends
    ours.close()
    assert channel.receive() is None
    with pytest.raises(wire.PeerGone):
        channel.send("ready")


def board(words):
    fd = os.memfd_create("board")
    os.write(fd, struct.pack(f"{len(words)}Q", *words))
    return fd


def test_scoreboard_row_is_where_the_protocol_says():
    loops, slots, seats = 2, 3, 2
    fd = board([fakemaster.MAGIC, 1, loops, slots, seats, 0, 0, 0] + [0] * 8 * (loops + slots * seats))
    row = wire.Scoreboard(fd).seat(1, 1)
    row[wire.REQUEST] = (1 << 62) - 1
    at = 64 * (1 + loops + 1 * seats + 1) + 8
    assert os.pread(fd, 8, at) == struct.pack("Q", (1 << 62) - 1)
    os.close(fd)


@pytest.mark.parametrize(
    "words",
    [
        [],
        [1] * 8,
        [fakemaster.MAGIC, 2, 1, 1, 1, 0, 0, 0] + [0] * 16,
        [fakemaster.MAGIC, 1, 1, 9, 1, 0, 0, 0] + [0] * 16,
    ],
)
def test_scoreboard_refuses_what_is_none(words):
    fd = board(words)
    with pytest.raises(wire.WireError):
        wire.Scoreboard(fd)
    os.close(fd)


@pytest.mark.parametrize("text", ["a" * 200_000, "\u20ac" * 200_000, "\U0001f40e" * 200_000, "\udce9" * 200_000])
def test_limited_text_always_fits_a_message(text):
    """60,000 characters may be 240,000 bytes, and a report that cannot be sent says nothing."""
    cut = trouble.limited(text + " the end")
    assert len(cut) <= 60_000 and cut.endswith(" the end")
    assert len(marshal.dumps(("failed", "load", cut), 2)) <= wire.MAX_MESSAGE
    cut.encode()  # no lone surrogates: Go reads UTF-8
