"""WebSocket conversations of an asgi worker, from the gateway's side of their sockets."""

import json
import os
from contextlib import contextmanager

import pytest
from fakeasgi import Shop
from fakemaster import pair, receive, send, until

LARGE = 64 << 10


@pytest.fixture
def shop():
    with Shop("websocket_gallery:shop") as s:
        yield s


@pytest.fixture
def noisy():
    """The same, for applications that are to leave a traceback."""
    with Shop("websocket_gallery:shop", quiet=False) as s:
        yield s


class Talk:
    """The gateway's end of one conversation."""

    def __init__(self, shop, app, *subprotocols):
        self.shop = shop
        self.sock, theirs = pair()
        with theirs:
            self.number = shop.ask(
                app,
                "websocket",
                fd=theirs.fileno(),
                type="websocket",
                scheme="ws",
                subprotocols=list(subprotocols),
                extensions={"websocket.http.response": {}},
            )

    def say(self, kind, data):
        content = data.encode() if kind == "text" else data
        if len(content) <= LARGE:
            send(self.sock, (kind, data))
            return
        fd = os.memfd_create("message")
        os.write(fd, content)
        send(self.sock, (kind, None))
        send(self.sock, ("file",), fd)
        os.close(fd)

    def hear(self):
        """The next message, with the content of a file in its place; None at the end."""
        message, fds = receive(self.sock)
        if not fds:
            return message
        content = os.pread(fds[0], 1 << 30, 0)
        os.close(fds[0])
        return message[0], content.decode() if message[0] == "text" else content

    def accepted(self):
        assert self.hear() == ("accept", None, [])
        return self

    def end(self):
        """The worker's last word about it."""
        message, _ = self.shop.worker.reply(self.number)
        return message[1:]

    def answer(self):
        return self.shop.answer(self.number)


def left_behind(shop):
    talk = Talk(shop, "last").accepted()
    return json.loads(talk.hear()[1])


def test_messages_of_every_size_and_kind(shop):
    talk = Talk(shop, "echo").accepted()
    for kind, data in [
        ("text", "hello"),
        ("text", ""),
        ("bytes", b"\x00\xff"),
        ("text", "Καλημέρα"),
        ("bytes", b"x" * LARGE),
        ("bytes", b"x" * (LARGE + 1)),
        ("text", "ß" * LARGE),
        ("text", "after"),
    ]:
        talk.say(kind, data)
        assert talk.hear() == (kind, data)
    send(talk.sock, ("disconnect", 4000, "bye"))
    assert talk.end() == (None, True, "")
    assert left_behind(shop) == [{"type": "websocket.disconnect", "code": 4000, "reason": "bye"}]


def test_what_the_application_chooses_and_its_close(shop):
    talk = Talk(shop, "chooses", "v1", "v2")
    assert talk.hear() == ("accept", "v2", [(b"X-App", b"yes")])
    assert talk.hear() == ("close", 3001, "bye")
    assert talk.end() == (None, True, "")
    gone = {"type": "websocket.disconnect", "code": 3001, "reason": "bye"}
    assert left_behind(shop) == [gone, gone]


def test_declined(shop):
    talk = Talk(shop, "declines")
    assert talk.hear() == ("close", 1000, "")
    assert talk.end() == (None, True, "")


def test_denied_by_a_response(shop):
    talk = Talk(shop, "denies")
    answer = talk.answer()
    assert (answer.status, answer.body, answer.complete) == (401, b"who are you?", True)
    assert talk.hear() is None


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("returns_at_once", "ASGI: the application returned without websocket.accept or websocket.close"),
        ("raises_at_once", "ValueError: before accept"),
        ("denies_by_half", "ASGI: the application returned without a response"),
    ],
)
def test_an_application_that_fails_before_it_accepts_is_a_500(noisy, app, said):
    assert Talk(noisy, app).answer().status == 500
    assert noisy.master.stderr().count(said) == 1
    Talk(noisy, "echo").accepted()


@pytest.mark.parametrize(
    ("app", "code", "end"),
    [
        ("returns_later", 1000, (None, True, "")),
        ("raises_later", 1011, (None, False, "ValueError: in the middle")),
        ("exits", 1011, (None, False, "SystemExit: 3")),
    ],
)
def test_an_application_that_ends_without_a_close(noisy, app, code, end):
    talk = Talk(noisy, app).accepted()
    assert talk.hear() == ("close", code, "")
    assert talk.end() == end
    assert noisy.master.stderr().count("Traceback") == (code == 1011)
    Talk(noisy, "echo").accepted()


def test_broken_rules_are_named(shop):
    talk = Talk(shop, "breaks_rules").accepted()
    rules = json.loads(talk.hear()[1])
    for rule, words in zip(
        rules,
        [
            "a message is a dict",
            "no message 'http.response.start'",
            "websocket.send before websocket.accept",
            "a subprotocol is one that the client offers: [], not 'unasked'",
            "headers are an iterable of (name, value), both bytes",
            "which is the handshake's own",
            "no control characters",
            "websocket.accept after websocket.accept",
            "websocket.http.response.start after websocket.accept",
            "either text or bytes",
            "either text or bytes",
            "text is of type str, not bytes",
            "bytes are of type bytes, not str",
            "text is UTF-8",
            "not 1006",
            "not '1000'",
            "at most 123 bytes",
            "receive() is called again",
        ],
    ):
        assert rule.startswith("BrokenRule: ") and words in rule, rule
    assert len(rules) == 18
    assert talk.hear() == ("close", 1000, "")
    assert talk.end() == (None, True, "")
    assert left_behind(shop) == [
        "BrokenRule: ASGI: websocket.send after websocket.close",
        "BrokenRule: ASGI: websocket.close after websocket.close",
    ]


def test_subclasses_and_buffers(shop):
    talk = Talk(shop, "subclasses", "chat")
    assert talk.hear() == ("accept", "chat", [])
    assert [talk.hear() for _ in range(3)] == [("text", "text"), ("bytes", b"array"), ("bytes", b"view")]


def test_a_receive_that_is_cancelled_loses_nothing(shop):
    talk = Talk(shop, "waits").accepted()
    assert talk.hear() == ("text", "nothing yet")
    talk.say("text", "it")
    assert talk.hear() == ("text", "got it")
    talk.sock.close()  # a gateway that is gone
    assert talk.end() == (None, True, "")
    gone = {"type": "websocket.disconnect", "code": 1006, "reason": ""}
    assert left_behind(shop) == [gone, gone, "ClientLeft"]


def test_a_receive_that_is_cancelled_when_its_message_comes(shop):
    talk = Talk(shop, "cancels_late").accepted()
    assert talk.hear() == ("text", "now")
    talk.say("text", "first")
    talk.say("text", "second")
    assert [talk.hear() for _ in range(3)] == [("text", "cancelled"), ("text", "got first"), ("text", "got second")]
    assert talk.hear() == ("close", 1000, "")


def test_messages_wait_for_an_application_that_does_other_things(shop):
    """However they fall between calls of receive(), none is lost and the loop does not spin."""
    talk = Talk(shop, "echo").accepted()
    for batch in (1, 5, 2, 8):
        for n in range(batch):
            talk.say("text", str(n))
        assert [talk.hear() for _ in range(batch)] == [("text", str(n)) for n in range(batch)]
    busy = Talk(shop, "busy").accepted()
    busy.say("text", "begin")
    busy.say("text", "hello")
    kind, used = busy.hear()
    assert kind == "text" and float(used) < 0.2
    assert busy.hear() == ("text", "hello")


def test_a_message_whose_file_does_not_come(shop):
    for rest, code in ((("disconnect", 1009, ""), 1009), (None, 1006)):
        talk = Talk(shop, "echo").accepted()
        send(talk.sock, ("text", None))
        if rest is not None:
            send(talk.sock, rest)
        talk.sock.close()
        assert talk.end() == (None, True, "")
        assert left_behind(shop)[-1] == {"type": "websocket.disconnect", "code": code, "reason": ""}


def test_a_slow_client_makes_send_wait_and_one_that_left_makes_it_fail(shop):
    talk = Talk(shop, "floods").accepted()
    other = Talk(shop, "echo").accepted()  # nobody else waits
    assert talk.hear()[0] == "bytes"
    send(talk.sock, ("disconnect", 1006, ""))
    talk.sock.close()
    assert talk.end() == (None, True, "")
    assert left_behind(shop) == [["ClientLeft", True, True]]
    other.sock.close()


def test_retirement_asks_clients_to_come_again(shop):
    talks = [Talk(shop, "echo").accepted() for _ in range(3)]
    talks[0].say("text", "in time")
    shop.worker.own.close()
    assert talks[0].hear() == ("text", "in time")
    for talk in talks:
        assert talk.hear() == ("close", 1012, "")
        assert talk.end() == (None, True, "")
        assert talk.hear() is None
    assert shop.worker.wait() == 0


@contextmanager
def counted(shop):
    before = shop.fds()
    yield
    until(lambda: shop.fds() <= before)  # fewer: what was before it had not gone yet


def test_no_descriptor_is_left(shop):
    first = Talk(shop, "echo").accepted()
    first.sock.close()
    first.end()
    with counted(shop):
        for app in ("echo", "declines", "denies", "floods", "returns_later"):
            talk = Talk(shop, app)
            if app == "echo":
                talk.accepted()
                talk.say("bytes", b"x" * (LARGE + 1))
            talk.sock.close()
            talk.shop.worker.reply(talk.number)
