"""What goes over the sockets, and the scoreboard. Used by mold and worker.

docs/protocol.md is the contract; package dispatch is the other end. A message
is one SEQPACKET datagram holding one marshal value, with descriptors beside it.

The lane is not read through Channel: the worker's loop does that itself, with
the few calls that a request really needs (worker.py).
"""

from __future__ import annotations

import marshal
import mmap
import os
import socket
import struct
from collections.abc import Sequence
from select import POLLIN, poll  # now, because eventlet takes poll away
from typing import Any

MAX_MESSAGE = 128 << 10  # bytes in a datagram
MAX_INLINE = 64 << 10  # bytes of a body that travels inside a message
MAX_REPLY = 112 << 10  # the same of a finished response
MAX_FDS = 64  # descriptors beside a message

# Version 2 is the last one without back-references: Python writes it faster (it
# keeps no table of what it has written) and the gateway reads it without one.
# Hello world, CPython 3.11: 330 ns against 450 ns for version 4.
MARSHAL_VERSION = 2

_INT = struct.calcsize("i")

# Of Linux: PyPy's socket does not name them, its recvmsg and send take them.
CLOEXEC = int(getattr(socket, "MSG_CMSG_CLOEXEC", 0x40000000))
NOSIGNAL = int(getattr(socket, "MSG_NOSIGNAL", 0x4000))
_TRUNCATED = socket.MSG_TRUNC | socket.MSG_CTRUNC

# A sender whose peer is gone gets EPIPE, or ECONNRESET if the peer left
# messages unread; both mean the same here.
GONE = (BrokenPipeError, ConnectionResetError)


class WireError(Exception):
    """The two sides do not speak the same protocol."""


class PeerGone(Exception):
    """The process at the other end is gone, which is the order to leave."""


class Channel:
    """One end of a SEQPACKET pair on which orders and facts travel.

    Takes ownership of the descriptor and makes it blocking and close-on-exec.
    """

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(True)

    def receive(self) -> tuple[tuple[Any, ...], list[int]] | None:
        """Wait for a message and the descriptors with it; None at end of file.

        The descriptors are close-on-exec and belong to the caller.
        """
        try:
            data, ancillary, flags, _ = self._socket.recvmsg(MAX_MESSAGE, socket.CMSG_SPACE(MAX_FDS * _INT), CLOEXEC)
        except ConnectionResetError:
            return None
        fds = descriptors(ancillary)
        if not data:
            close_all(fds)
            return None
        try:
            if flags & _TRUNCATED:
                raise WireError(f"a message of more than {MAX_MESSAGE} bytes or {MAX_FDS} descriptors")
            return decode(data), fds
        except WireError:
            close_all(fds)
            raise

    def wait(self, seconds: float) -> bool:
        """Whether there is something to receive, within that time."""
        waiter = poll()
        waiter.register(self._socket, POLLIN)
        return bool(waiter.poll(seconds * 1000))

    def send(self, *message: Any) -> None:
        """Send a message; PeerGone if nobody can read it any more."""
        try:
            self._socket.send(marshal.dumps(message, MARSHAL_VERSION), NOSIGNAL)
        except GONE as error:
            raise PeerGone from error

    def send_with(self, fd: int, *message: Any) -> None:
        """Send a message and a copy of a descriptor, which stays the caller's."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", fd))]
        try:
            self._socket.sendmsg([marshal.dumps(message, MARSHAL_VERSION)], rights, NOSIGNAL)
        except GONE as error:
            raise PeerGone from error

    def shut_reading(self) -> int:
        """Make every further receive on this end return end of file, and leave the
        other end as it is. Returns the descriptor, which stays the channel's."""
        self._socket.shutdown(socket.SHUT_RD)
        return self._socket.fileno()

    def fileno(self) -> int:
        """The descriptor; -1 after close."""
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()


def decode(data: bytes) -> tuple[Any, ...]:
    """Read a message that must be a tuple whose first item is its name."""
    try:
        message = marshal.loads(data)
    except (EOFError, ValueError, TypeError) as error:
        raise WireError(f"a message that is not marshal data: {error}") from error
    if not isinstance(message, tuple) or not message or not isinstance(message[0], str):
        raise WireError("a message that is not a tuple beginning with its name")
    return message


def descriptors(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    """Pick the received descriptors out of what recvmsg returned."""
    fds: list[int] = []
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            # A cut control message may end in the middle of a number.
            fds.extend(struct.unpack_from(f"{len(data) // _INT}i", data))
    return fds


def close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)


# The words of a seat's row.
BEAT, REQUEST, START, ANSWERED, PID, GENERATION, LIFE, LEAVING = range(8)

_MAGIC = 0x494E4452494B5342
_VERSION = 1
_ROW = 8  # words


class Scoreboard:
    """The memory shared by master, gateway and workers.

    Mapped by the mold before the fork; a worker inherits the mapping.
    """

    def __init__(self, fd: int) -> None:
        """Map the scoreboard. The descriptor stays the caller's."""
        size = os.fstat(fd).st_size
        if size < 8 * _ROW or size % 8:
            raise WireError(f"a scoreboard of {size} bytes")
        self._words = memoryview(mmap.mmap(fd, size)).cast("Q")
        magic, version, self.loops, self.slots, self.seats = self._words[:5]
        if magic != _MAGIC or version != _VERSION:
            raise WireError(f"a scoreboard with magic {magic:#x} and version {version}")
        if size < 8 * _ROW * (1 + self.loops + self.slots * self.seats):
            raise WireError(f"a scoreboard of {size} bytes for {self.slots} slots")

    def seat(self, slot: int, seat: int = 0) -> memoryview:
        """The row of a seat. Assigning to an item stores one aligned 64-bit word."""
        if not 0 <= slot < self.slots or not 0 <= seat < self.seats:
            raise IndexError(f"no seat {seat} in slot {slot}")
        first = _ROW * (1 + self.loops + slot * self.seats + seat)
        return self._words[first : first + _ROW]
