"""A master and a gateway in one, for tests: it drives a real mold exactly as
docs/protocol.md says. The workers become children of the test process."""

from __future__ import annotations

import ctypes
import fcntl
import importlib.util
import marshal
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PYTHON = Path(__file__).resolve().parent.parent
APPS = Path(__file__).resolve().parent / "apps"
LIMIT = 20.0  # seconds that a test waits for anything
SLOTS, LOOPS = 4, 2
MAGIC = 0x494E4452494B5342
PR_SET_CHILD_SUBREAPER = 36
SYS_PIDFD_OPEN = 434
CLOEXEC = 0x40000000  # MSG_CMSG_CLOEXEC, which PyPy does not name

OPTIONS: dict[str, Any] = {  # the settings' defaults, but for the class
    "worker_class": "sync",
    "threads": 1,
    "scheduling": "batch",
    "worker_connections": 1000,
    "interface": "auto",
    "asgi_loop": "auto",
    "request_id_field": "",
    "asgi_lifespan": "auto",
    "disconnect_grace": 3_000,
    "spew": False,
    "traceback_pages": False,
    "paste": "",
    "paste_globals": [],
    "root_path": "",
    "max_requests": 0,
    "max_requests_jitter": 0,
    "preload_app": False,
    "reload": False,
    "reload_extra_files": [],
    "user": "",
    "group": "",
    "umask": None,
    "initgroups": False,
    "graceful_timeout": 30_000,
    "beat": 1_000,
    "slow_request": 0,
    "request_timeout": 0,
    "request_timeout_grace": 5_000,
}

COMMAND = "exec(open(4,'rb',closefd=False).read())"  # that of python/embed.go


def pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(LIMIT)
    return ours, theirs


def send(to: socket.socket, message: Any, *fds: int) -> None:
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))] if fds else []
    to.sendmsg([marshal.dumps(message, 2)], rights)


def pidfd_open(pid: int) -> int:
    """os.pidfd_open, which PyPy has not."""
    return int(ctypes.CDLL(None).syscall(SYS_PIDFD_OPEN, pid, 0))


def receive(sock: socket.socket) -> tuple[Any, list[int]]:
    """A message and its descriptors; (None, []) at end of file."""
    data, ancillary, flags, _ = sock.recvmsg(1 << 18, socket.CMSG_SPACE(64 * 4), CLOEXEC)
    assert not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
    assert len(data) <= 128 << 10
    fds = [fd for _, _, part in ancillary for fd in struct.unpack(f"{len(part) // 4}i", part)]
    return (marshal.loads(data) if data else None), fds


def memory(data: bytes) -> int:
    """A memfd that holds data, at position 0."""
    fd = os.memfd_create("indrik")
    os.pwrite(fd, data, 0)
    return fd


def sources() -> bytes:
    """What the Go package would give a mold, but for the digest."""
    files = {path.stem: path.read_bytes() for path in (PYTHON / "indrik").glob("*.py") if path.stem != "boot"}
    names = {"indrik" if stem == "__init__" else f"indrik.{stem}": data for stem, data in files.items()}
    return marshal.dumps(("digest", names), 2)


def environ(**more: Any) -> dict[str, Any]:
    base = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "RAW_URI": "/",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    return {**base, **more}


@dataclass
class Answer:
    """A reply as the client would see it."""

    status: str
    headers: Any
    body: bytes
    kind: str  # "inline", "file" or "stream"
    complete: bool = True
    text: str = ""


@dataclass
class Worker:
    slot: int
    pid: int
    report: socket.socket
    replies: list[socket.socket]
    own: socket.socket | None = None  # the gateway's end of its own lane
    early: list[tuple[Any, list[int]]] = field(default_factory=list)  # replies not yet asked for
    signal: int = 0  # that makes it write into stacks
    stacks: Any = None
    beside: dict[int, int] = field(default_factory=dict)  # descriptors of requests, as the gateway keeps them
    exit: int | None = None  # as os.waitstatus_to_exitcode gives it

    def accept_stacks(self) -> None:
        """Take the worker's first fact: the file into which a signal makes it write its stacks."""
        fact, fds = receive(self.report)
        assert fact[0] == "stacks" and len(fds) == 1, fact
        self.signal, self.stacks = fact[1], open(fds[0], "rb+", buffering=0)

    def fact(self) -> Any:
        return receive(self.report)[0]

    def reply(self, number: int) -> tuple[Any, list[int]]:
        """The next message about a request; those about others wait for their turn."""
        for at, (message, _) in enumerate(self.early):
            if message[0] == number:
                return self.early.pop(at)
        while True:
            self.take(number >> 56)
            if self.early and self.early[-1][0][0] == number:
                return self.early.pop()

    def take(self, loop: int) -> None:
        """Take the next message of a reply socket: answer it if the worker asks for a
        descriptor, else put it aside."""
        message, fds = receive(self.replies[loop])
        assert message is not None, "the worker has gone"
        if message[1:] == ("descriptor",):
            self.give(message[0])
        else:
            self.early.append((message, fds))

    def give(self, number: int) -> None:
        """Answer the worker that asks for the descriptor of a request."""
        fd = self.beside.pop(number, -1)
        send(self.replies[number >> 56], (number,), *([fd] if fd >= 0 else []))
        if fd >= 0:
            os.close(fd)

    def wait(self) -> int:
        """The exit status, or minus the signal."""
        if self.exit is None:
            fd = pidfd_open(self.pid)
            try:
                ended = select.poll()  # and not select(2): a test may hold more than 1,024 descriptors
                ended.register(fd, select.POLLIN)
                if not ended.poll(LIMIT * 1000):
                    os.kill(self.pid, signal.SIGKILL)
                    os.waitpid(self.pid, 0)
                    raise AssertionError(f"worker {self.pid} did not leave")
            finally:
                os.close(fd)
            self.exit = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.exit

    def let_go(self) -> None:
        """Close what the master has of it, for a test of hundreds."""
        for end in (self.report, *self.replies, *([self.stacks] if self.stacks else [])):
            end.close()

    def retire(self) -> int:
        """As the master does it: by SIGTERM, or by the end of the worker's own lane."""
        if self.own:
            self.own.close()
        else:
            os.kill(self.pid, signal.SIGTERM)
        return self.wait()

    def fds(self) -> dict[int, str]:
        folder = f"/proc/{self.pid}/fd"
        return {int(n): os.readlink(f"{folder}/{n}") for n in os.listdir(folder)}


@dataclass
class Master:
    """Starts a mold on entry; on exit everything it started is gone."""

    app: str = "gallery:hello"
    embedded: bool = True  # else from files
    compiled: bytes = b""  # that a mold before has made
    cwd: Path = APPS
    pythonpath: list[str] = field(default_factory=list)
    name: str = ""
    generation: int = 7
    env: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)
    newest: socket.socket | None = None  # the gateway's end of the newest lane of a worker's own
    sequence: int = 0
    beside: dict[int, int] = field(default_factory=dict)  # of requests: what they have in place of a body
    hints: list[Any] = field(default_factory=list)  # informational responses that answer() passed by
    made: bytes = b""  # what the mold has compiled
    quiet: bool = True  # whether the test is to fail if anything is on standard error

    def __enter__(self) -> Master:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.seats = int({**OPTIONS, **self.options}["threads"])
        words = [MAGIC, 1, LOOPS, SLOTS, self.seats] + [0] * (3 + 8 * (LOOPS + SLOTS * self.seats))
        self.scoreboard = os.memfd_create("scoreboard")
        os.write(self.scoreboard, struct.pack(f"{len(words)}Q", *words))
        self.lane, self.lane_end = pair()
        self.lane_end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", 1, 0))
        self.channel, theirs = pair()
        self.said = tempfile.TemporaryFile()
        self.mold = self._start(theirs)
        theirs.close()
        return self

    def _start(self, channel: socket.socket) -> subprocess.Popen[bytes]:
        memories, command = [], ["-m", "indrik", "--channel", "3"]
        if self.embedded:
            memories = [memory((PYTHON / "indrik/boot.py").read_bytes()), memory(sources())]
            command = ["-c", COMMAND, "--channel", "3", "--sources", "5"]
            if self.compiled:
                memories.append(memory(self.compiled))
                command += ["--compiled", "6"]

        def place() -> None:  # descriptors 3 to 5 and no others, as the master's start has it
            high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (channel.fileno(), *memories)]
            for number, fd in enumerate(high, 3):
                os.dup2(fd, number)
            os.closerange(3 + len(high), 1024)

        env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | self.env
        if not self.embedded:
            env["PYTHONPATH"] = str(PYTHON)
        mold = subprocess.Popen(
            [sys.executable, *command],
            preexec_fn=place,
            close_fds=False,
            cwd=self.cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stderr=self.said,
        )
        for fd in memories:
            os.close(fd)
        return mold

    def __exit__(self, kind: Any, error: Any, tb: Any) -> None:
        for worker in self.workers:
            if worker.exit is None:
                os.kill(worker.pid, signal.SIGKILL)
                worker.wait()
        self.channel.close()
        try:
            status = self.mold.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.mold.kill()
            status = self.mold.wait()
        held = [s for w in self.workers for s in (w.report, w.own, *w.replies) if s]
        for sock in [self.lane, self.lane_end, *held]:
            sock.close()
        os.close(self.scoreboard)
        text = self.stderr()
        self.said.close()
        if error is None:
            assert status == 0, f"mold ended with {status}: {text}"
            assert not (self.quiet and text), f"on standard error: {text}"
        elif text:
            print(text)

    def fact(self) -> Any:
        """The mold's next fact. What it has compiled may come at any time, and is put aside."""
        while True:
            fact, fds = receive(self.channel)
            if fact is None or fact[0] != "compiled":
                return fact
            self._take(fact, fds)

    def _take(self, fact: Any, fds: list[int]) -> None:
        assert len(fds) == 1 and fact[1:] == (True,), fact
        with open(fds[0], "rb") as code:
            self.made = os.pread(code.fileno(), os.fstat(code.fileno()).st_size, 0)

    def offered(self) -> bytes:
        """What the mold has compiled, once it has nothing else to do."""
        if not self.made:
            self._take(*receive(self.channel))
        return self.made

    def stderr(self) -> str:
        """What mold and workers have written; each call gives all of it."""
        return os.pread(self.said.fileno(), 1 << 20, 0).decode()

    def worker_class(self) -> str:
        """What the options say, as the master tells it twice."""
        return str({**OPTIONS, **self.options}["worker_class"])

    def configure(self) -> Any:
        """Send the first order; returns the mold's fact."""
        settings = {
            "app": self.app,
            "generation": self.generation,
            "name": self.name,
            "pythonpath": self.pythonpath,
            "worker_class": self.worker_class(),
            "loops": LOOPS,
            "version": "0.0.0",
            "options": {**OPTIONS, **self.options},
            "settings": {},
            "seconds": {},
            **self.settings,
        }
        send(self.channel, ("configure", settings), self.scoreboard, self.lane_end.fileno())
        return self.fact()

    def spawn(self, slot: int = 0) -> Worker:
        """A forked worker; it gets a lane of its own unless its class is sync or gthread."""
        own = pair() if self.worker_class() not in ("sync", "gthread") else None
        pairs = [pair(), *([own] if own else []), *(pair() for _ in range(LOOPS))]
        send(self.channel, ("spawn", slot, own is not None), *(end.fileno() for _, end in pairs))
        for _, end in pairs:
            end.close()
        report, replies = pairs[0][0], [ours for ours, _ in pairs[-LOOPS:]]
        fact = self.fact()
        assert fact[:2] == ("forked", slot), fact
        worker = Worker(slot, fact[2], report, replies, own[0] if own else None, beside=self.beside)
        worker.accept_stacks()
        self.workers.append(worker)
        return worker

    def ready(self, slot: int = 0) -> Worker:
        """A worker that has said it is ready."""
        worker = self.spawn(slot)
        fact = worker.fact()
        assert fact[0] == "ready", fact
        if fact[3]:
            self.newest = worker.own
        elif worker.own:
            worker.own.close()
            worker.own = None
        return worker

    def row(self, slot: int = 0, seat: int = 0) -> tuple[int, ...]:
        return struct.unpack("8Q", os.pread(self.scoreboard, 64, 64 * (1 + LOOPS + slot * self.seats + seat)))

    def next_id(self, loop: int = 0) -> int:
        self.sequence += 1
        return (loop << 56) | (3 << 48) | self.sequence

    def ask(self, body: Any = b"", loop: int = 0, **more: Any) -> int:
        """Send a request; body may be a descriptor, given as an int. Returns its id. It goes to
        the last worker with a lane of its own, if there is any."""
        number = self.next_id(loop)
        lane = self.newest or self.lane
        if isinstance(body, int):
            self.beside[number] = os.dup(body)
            send(lane, (number, environ(**more), None))
        else:
            send(lane, (number, environ(CONTENT_LENGTH=str(len(body)), **more), body))
        return number

    def ask_streamed(self, length: int = -1, **more: Any) -> tuple[int, socket.socket]:
        """Send a request whose body comes on the returned socket."""
        number = self.next_id()
        ours, theirs = socket.socketpair()
        ours.settimeout(LIMIT)
        if length >= 0:
            more["CONTENT_LENGTH"] = str(length)
        with theirs:
            self.beside[number] = os.dup(theirs.fileno())
            send(self.newest or self.lane, (number, environ(**more), length))
        self.hand(number)
        return number, ours

    def hand(self, number: int) -> None:
        """Wait for a worker to take a request and to ask for its descriptor, and answer it."""
        ends = {w.replies[number >> 56].fileno(): w for w in self.workers if w.exit is None}
        waiting = select.poll()
        for fd in ends:
            waiting.register(fd, select.POLLIN)
        while number in self.beside:
            events = waiting.poll(LIMIT * 1000)
            assert events, "no worker asked for the descriptor"
            for fd, _ in events:
                ends[fd].take(number >> 56)

    def answer(self, worker: Worker, number: int) -> Answer:
        """Wait for the whole reply to a request."""
        message, fds = worker.reply(number)
        while len(message) == 3:
            self.hints.append(message[1:])
            message, fds = worker.reply(number)
        if len(message) == 5:
            return self._streamed(worker, message, fds)
        _, status, headers, body = message
        if isinstance(body, bytes):
            assert not fds
            return Answer(status, headers, body, "inline")
        (fd,) = fds
        offset, length = body
        data = os.pread(fd, length, offset)
        os.close(fd)
        return Answer(status, headers, data, "file")

    def _streamed(self, worker: Worker, message: Any, fds: list[int]) -> Answer:
        number, status, headers, _, first = message
        with socket.socket(fileno=fds[0]) as stream:
            stream.settimeout(LIMIT)
            parts = [first]
            while data := stream.recv(1 << 16):
                parts.append(data)
        end, _ = worker.reply(number)
        assert end[:2] == (number, None), end
        return Answer(status, headers, b"".join(parts), "stream", end[2], end[3])

    def get(self, worker: Worker, body: Any = b"", **more: Any) -> Answer:
        return self.answer(worker, self.ask(body, **more))


def needs(kind: str) -> None:
    """Skip the test if the package that a worker class is made of is missing."""
    if kind in ("gevent", "eventlet") and importlib.util.find_spec(kind) is None:
        pytest.skip(f"{kind} is not installed")


def until(holds: Any) -> None:
    """Wait for a condition that has no event of its own, with a limit."""
    end = time.monotonic() + LIMIT
    while not holds():
        assert time.monotonic() < end, "the condition never came true"
        time.sleep(0.002)


def play(place: tuple[Master, Worker], app: str, body: Any = b"", **more: Any) -> Answer:
    """Ask a worker of gallery:shop for what one of the gallery's applications does."""
    m, w = place
    return m.get(w, body, QUERY_STRING=app, **more)


def fine(place: tuple[Master, Worker]) -> None:
    """The worker serves on."""
    assert play(place, "hello").body == b"Hello, world!"
