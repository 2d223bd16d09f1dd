"""An interrupt that comes when its request is over must reach nobody.

With threads the main thread looks at a request and interrupts it; between the two, and
while the interpreter is being asked, the request's thread may go on. The tests put the end
of the request exactly there.
"""

from __future__ import annotations

import io
import sys
import threading
import time
from typing import Any

import pytest

from indrik import deadline

PATIENCE = 20.0


class Exchange:
    def __init__(self) -> None:
        self.failed = 0
        self.given_up = False

    def fail(self, text: str, late: bool = False) -> None:
        self.failed += 1


class Seat:
    """A thread that answers one request with a watch around it, and then goes on."""

    def __init__(self, frame: Any, interrupt: Any) -> None:
        self.begun, self.end, self.over = threading.Event(), threading.Event(), threading.Event()
        self.escaped: list[BaseException] = []
        self.exchange = Exchange()
        limits = deadline.Limits({"slow_request": 0, "request_timeout": 0.01, "request_timeout_grace": 60})
        self.watch = deadline.Watch(limits, io.StringIO(), threading.get_ident, frame, interrupt, lambda: None)
        self.thread = threading.Thread(target=self._sit)

    def _sit(self) -> None:
        def respond(*request: Any) -> None:
            self.begun.set()
            self.end.wait()

        try:
            self.watch.around(respond)(None, {}, self.exchange, io.StringIO(), 1)  # type: ignore[arg-type]
            self.over.set()
            for _ in range(1000):  # where the next request would be
                time.sleep(0)
        except BaseException as error:  # noqa: BLE001 (the test wants to see every one)
            self.escaped.append(error)
        finally:
            self.over.set()

    def check(self) -> None:
        self.thread.start()
        assert self.begun.wait(PATIENCE)
        time.sleep(0.02)  # past request_timeout
        self.watch.look()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        assert self.escaped == []


@pytest.fixture(autouse=True)
def application(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every frame counts as one of the application's."""
    monkeypatch.setattr(deadline, "in_application", lambda frame: True)


def test_end_between_look_and_interrupt() -> None:
    asked = []

    def frame(thread: int) -> Any:
        seat.end.set()
        assert seat.over.wait(PATIENCE)
        return sys._getframe()

    seat = Seat(frame, asked.append)
    seat.check()
    assert asked == []


def test_end_while_the_interpreter_is_asked() -> None:
    def interrupt(thread: int) -> None:
        seat.end.set()
        assert not seat.over.wait(0.2)  # it waits for what is on its way
        deadline.raise_in(thread)

    seat = Seat(lambda thread: sys._getframe(), interrupt)
    seat.check()


def test_interrupt_in_time() -> None:
    def interrupt(thread: int) -> None:
        deadline.raise_in(thread)
        seat.end.set()

    seat = Seat(lambda thread: sys._getframe(), interrupt)
    seat.check()
    assert seat.exchange.failed == 1
