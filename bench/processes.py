"""Server processes: start, wait until they serve, what they cost, end."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass

TICK = os.sysconf("SC_CLK_TCK")
START_LIMIT = 30.0  # seconds until a server must serve
STOP_LIMIT = 15.0  # seconds until it must have ended after SIGTERM


class NotRun(Exception):
    """Why there is no figure: the text stands in the results."""


@dataclass(frozen=True)
class Process:
    """One process at one moment (proc(5), /proc/pid/stat)."""

    pid: int
    parent: int
    name: str
    cpu: float  # seconds, user and system


def stat(pid: int) -> Process:
    """The name stands in parentheses and may hold anything, so the fields are counted from its end."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    return Process(pid, int(fields[1]), name, (int(fields[11]) + int(fields[12])) / TICK)


def tree(root: int) -> dict[int, Process]:
    """The process and all its descendants."""
    known: dict[int, Process] = {}
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                known[int(entry)] = stat(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                pass  # it ended meanwhile
    family, grown = {root}, True
    while grown:
        more = {pid for pid, process in known.items() if process.parent in family} - family
        family, grown = family | more, bool(more)
    return {pid: known[pid] for pid in sorted(family) if pid in known}


def role(process: Process, root: int, alone: bool) -> str:
    """What a process is: Indrik's have names that say it; of others the first is
    the master, if there is more than one."""
    if process.name.startswith("indrik-gate"):
        return "gateway"
    if process.name.startswith("indrik-w"):
        return "workers"
    if process.name.startswith("indrik") or (process.pid == root and not alone) or tracks(process.pid):
        return "master"
    return "workers"


def tracks(pid: int) -> bool:
    """Whether it is the helper that Python's multiprocessing starts beside workers: it answers nothing and is never replaced."""
    try:
        return b"resource_tracker" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False  # it ended meanwhile


def roles(root: int) -> dict[str, list[int]]:
    """The processes of a server by role."""
    family = tree(root)
    by: dict[str, list[int]] = {}
    for process in family.values():
        by.setdefault(role(process, root, len(family) == 1), []).append(process.pid)
    return by


def cpu_between(before: Mapping[int, Process], after: Mapping[int, Process], root: int) -> dict[str, float]:
    """Seconds of processor by role. One that ended in between is lost; one that
    began counts whole."""
    spent: dict[str, float] = {}
    for pid, now in after.items():
        then = before[pid].cpu if pid in before else 0.0
        what = role(now, root, len(after) == 1)
        spent[what] = spent.get(what, 0.0) + now.cpu - then
    return spent


def pss(pids: list[int]) -> int:
    """The proportional set size of processes together, in bytes: what several share is divided among them."""
    total = 0
    for pid in pids:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += int(text.partition("\nPss:")[2].split()[0]) << 10
    return total


def dial(address: str, timeout: float = 5.0) -> socket.socket:
    """A connection to host:port or unix:PATH."""
    if address.startswith("unix:"):
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(timeout)
        try:
            made.connect(address.removeprefix("unix:"))
        except OSError:
            made.close()
            raise
        return made
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout)


def get(address: str, path: str = "/", timeout: float = 5.0) -> bytes:
    """The body of a response with status 200, over a connection of its own. OSError for anything else."""
    with dial(address, timeout) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        got = b""
        while not whole(got) and (more := s.recv(65536)):
            got += more
    if not got.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
        raise ConnectionError(f"answered {got[:60]!r}")
    return got.partition(b"\r\n\r\n")[2]


def whole(response: bytes) -> bool:
    """Whether it has the length that it says. Not every server closes when it is asked to."""
    head, end, body = response.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length:\s*(\d+)", head)
    return bool(end) and length is not None and len(body) >= int(length[1])


class Server:
    """A running server; its output is in a file. Leaving the `with` ends it and all it started."""

    def __init__(self, command: list[str], cwd: pathlib.Path, log: pathlib.Path, env: Mapping[str, str] | None = None) -> None:
        self.log = log
        with log.open("wb") as out:
            try:
                self.process = subprocess.Popen(
                    command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                    env={**os.environ, **(env or {})},
                )  # fmt: skip
            except OSError as e:
                raise NotRun(f"{command[0]}: {e.strerror}") from e

    @property
    def pid(self) -> int:
        return self.process.pid

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def said(self) -> str:
        """The last line of its output."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1].strip()[:200] if lines else "it said nothing"

    def check(self) -> None:
        if (status := self.process.poll()) is not None:
            raise NotRun(f"ended with status {status}: {self.said()}")

    def wait_until_serving(self, address: str, accepts_only: bool = False) -> None:
        """Until / is answered with 200; for servers that speak only TLS or no HTTP until they accept."""
        limit, last = time.monotonic() + START_LIMIT, ""
        while time.monotonic() < limit:
            self.check()
            try:
                if accepts_only:
                    dial(address).close()
                else:
                    get(address)
                return
            except OSError as e:
                last = str(e)
                time.sleep(0.02)
        raise NotRun(f"did not serve within {START_LIMIT:.0f} s ({last}): {self.said()}")

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for what is left of it after STOP_LIMIT."""
        family = tree(self.pid) if self.process.poll() is None else {}
        try:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            pass
        for pid, then in family.items():
            try:
                if stat(pid).name == then.name:  # the number may have been given away again
                    os.kill(pid, signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                pass  # as it should be
        self.process.wait()
