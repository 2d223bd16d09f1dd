"""The asgi worker's requests and replies. The gallery's applications are wrapped in a
strict validator, so that a broken rule on either side is a failed request."""

import json
import os
import signal
import socket
import tempfile
import time

import pytest
from fakeasgi import Shop, scope
from fakemaster import LIMIT, memory, receive, send, until


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def shop(request):
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    with Shop(asgi_loop=request.param) as s:
        yield s
        assert s.get("facts").body.startswith(b'{"loop": "' + request.param.encode())


def test_whole_replies_are_one_message(shop):
    got = shop.get("hello")
    assert (got.status, got.body, got.kind) == (200, b"Hello, world!", "inline")
    assert got.headers == [(b"content-type", b"text/plain"), (b"content-length", b"13")]
    got = shop.get("enum_status")
    assert (got.status, type(got.status), got.body) == (201, int, b"made")
    assert shop.get("odd_pairs").headers == [(b"x-a", b"1"), (b"x-b", b"2")]
    got = shop.get("bare")
    assert (got.status, got.headers, got.body, got.kind) == (204, [], b"", "inline")
    assert shop.get("early_end").kind == "inline"
    got = shop.get("page")
    assert (got.body, got.kind) == (b"p" * (112 << 10), "inline")
    got = shop.get("large")
    assert (got.body, got.kind) == (b"x" * 300_000, "file")


def test_many_requests_at_a_time(shop):
    """Those that wait hold up nobody, and answers come in the order in which they are made."""
    waiting = [shop.ask("waits", path="/many", loop=n % 2) for n in range(200)]
    assert shop.get("hello").body == b"Hello, world!"
    shop.get("opens", path="/many")
    replies = shop.worker.replies
    answered = [receive(replies[n >> 56])[0][0] for n in waiting]
    assert sorted(answered) == sorted(waiting)


def test_streams_come_as_they_are_made(shop):
    number = shop.ask("gated", path="/gate")
    message, fds = receive(shop.worker.replies[0])
    assert message[:2] == (number, 200) and message[3:] == (None, b"first")
    shop.get("opens", path="/gate")
    with socket.socket(fileno=fds[0]) as stream:
        stream.settimeout(LIMIT)
        assert stream.recv(100) == b"second"
        assert receive(shop.worker.replies[0])[0] == (number, None, True, "")
        assert stream.recv(100) == b""
    got = shop.get("pieces")
    assert (got.body, got.kind, got.complete) == (b"012end", "stream", True)
    assert shop.get("large_pieces").body == b"y" * 10_000_000


def test_a_slow_client_holds_up_its_own_response_only(shop):
    """send() waits when the stream is full; the loop does not."""
    number = shop.ask("large_pieces")
    message, fds = receive(shop.worker.replies[0])
    assert message[0] == number
    for _ in range(20):
        assert shop.get("hello").kind == "inline"
    with socket.socket(fileno=fds[0]) as stream:
        stream.settimeout(LIMIT)
        size = len(message[4])
        while data := stream.recv(1 << 20):
            size += len(data)
    assert size == 10_000_000
    assert receive(shop.worker.replies[0])[0] == (number, None, True, "")


def test_a_full_reply_socket_holds_up_nothing(shop):
    """A gateway that does not read for a while gets every reply in the end."""
    numbers = {shop.ask("large" if n % 50 == 0 else "hello") for n in range(600)}
    got = set()
    while len(got) < len(numbers):
        message, fds = receive(shop.worker.replies[0])
        assert message[1] == 200
        got.add(message[0])
        for fd in fds:
            os.close(fd)
    assert got == numbers


@pytest.mark.parametrize("size", [0, 1, 100_000, 1_000_000])
@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_body_in_a_file_comes_in_pieces(shop, size, where, tmp_path):
    content = os.urandom(size)
    flags = os.O_RDWR | os.O_CREAT
    fd = os.memfd_create("body") if where == "memory" else os.open(tmp_path / "body", flags, 0o600)
    with open(fd, "w+b", buffering=0) as file:
        file.write(content)
        assert shop.get("echo", None, file.fileno(), method="POST").body == content
        sizes = json.loads(shop.get("sizes", None, file.fileno(), method="POST").body)
        assert sum(sizes) == size and max(sizes) <= 128 << 10


@pytest.mark.parametrize("length", [-1, 11])
def test_a_body_is_read_as_it_arrives(shop, length):
    number, ours = shop.upload("echo", length, method="POST")
    with ours:
        assert len(ours.recv(1, socket.MSG_PEEK)) == 1  # it is wanted
        ours.sendall(b"hello ")
        ours.sendall(b"world")
        ours.recv(1)
    assert shop.answer(number).body == b"hello world"


def test_a_body_nobody_wants_is_not_asked_for(shop):
    number, ours = shop.upload("hello", 10, method="POST")
    assert shop.answer(number).body == b"Hello, world!"
    with ours:
        assert ours.recv(1) == b""  # closed, and no byte before


@pytest.mark.parametrize("length", [-1, 11])
def test_a_cut_body_is_a_disconnect(shop, length):
    shop.get("story")
    number, ours = shop.upload("until_disconnect", length, method="POST")
    ours.sendall(b"hel")
    with ours:
        assert len(ours.recv(1, socket.MSG_PEEK)) == 1
        until(lambda: b"waits" in shop.get("story").body)
    assert shop.answer(number).status == 500
    assert json.loads(shop.get("story").body) == ["http.disconnect", "http.disconnect"]


def test_nothing_is_lost_by_a_cancelled_receive(shop):
    number, ours = shop.upload("cancels_receive", -1, method="POST")
    with ours:
        ours.recv(1, socket.MSG_PEEK)
        ours.sendall(b"all of it")
        ours.recv(1)
    assert shop.answer(number).body == b"all of it"


def test_receive_after_the_response_is_a_disconnect(shop):
    shop.get("story")
    assert shop.get("ended").body == b"done"
    until(lambda: json.loads(shop.get("story").body) == ["http.disconnect"])


def test_a_client_that_left_is_told(shop):
    shop.get("story")
    number = shop.ask("until_disconnect")
    until(lambda: b"waits" in shop.get("story").body)
    shop.left(number)
    assert shop.answer(number).status == 500  # nobody hears it, but the gateway knows that nothing is held
    assert json.loads(shop.get("story").body) == ["http.disconnect", "http.disconnect"]
    shop.left(number)  # once more, after its end
    shop.left(12345)


def test_a_task_is_cancelled_some_time_after_its_client_left():
    with Shop(disconnect_grace=300, quiet=True) as shop:
        number = shop.ask("sleeper")
        until(lambda: b"sleeps" in shop.get("story").body)
        began = time.monotonic()
        shop.left(number)
        shop.answer(number)
        assert 0.25 < time.monotonic() - began < 5
        assert json.loads(shop.get("story").body) == ["cancelled"]


def test_a_client_that_half_closed_is_still_answered(shop):
    """An application that does not ask is not disturbed by the news."""
    number = shop.ask("gated", path="/half")
    message, fds = receive(shop.worker.replies[0])
    shop.left(number)
    shop.get("opens", path="/half")
    with socket.socket(fileno=fds[0]) as stream:
        stream.settimeout(LIMIT)
        assert message[4] + stream.recv(100) == b"firstsecond"
    assert receive(shop.worker.replies[0])[0] == (number, None, True, "")


def test_a_stream_nobody_reads_any_more_ends_by_an_oserror(shop):
    shop.get("story")
    number = shop.ask("endless")
    message, fds = receive(shop.worker.replies[0])
    assert message[0] == number
    os.close(fds[0])
    end = receive(shop.worker.replies[0])[0]
    assert end[:3] == (number, None, False)
    until(lambda: json.loads(shop.get("story").body) == ["ClientLeft"])


def test_extensions(shop, tmp_path):
    number = shop.ask("trailers")
    message, fds = receive(shop.worker.replies[0])
    os.close(fds[0])
    assert message[3:] == (None, b"body")
    end = receive(shop.worker.replies[0])[0]
    assert end == (number, None, True, "", [(b"x-sum", b"0"), (b"x-sum", b"1")])

    del shop.master.hints[:]
    assert shop.get("hints").body == b"page"
    assert shop.master.hints == [
        (103, [(b"link", b"</a.css>; rel=preload")]),
        (103, [(b"link", b"</b.js>; rel=preload"), (b"link", b"</c.js>")]),
    ]

    file = tmp_path / "file"
    file.write_bytes(b"content")
    got = shop.get("path", path=str(file))
    assert (got.kind, got.body) == ("file", b"content")


def test_each_request_has_its_own_context_and_task(shop):
    assert [shop.get("context", path=p).body for p in ("/a", "/b")] == [b"nobody /a", b"nobody /b"]
    assert shop.get("task_first").body == b"True"


def test_no_descriptor_is_left(shop):
    before = shop.fds()
    file = tempfile.TemporaryFile()
    for _ in range(5):
        for app in ("hello", "pieces", "large", "early_end"):
            shop.get(app)
        shop.get("hello", None, file.fileno())
    until(lambda: shop.fds() <= before)  # fewer: what was before it had not gone yet


@pytest.fixture(scope="module")
def noisy():
    with Shop(quiet=False) as s:
        yield s


def say(app, path, says):
    return pytest.param(app, path, says, id=f"{app}-{path}")


BEFORE_THE_HEAD = [
    say("raises", "/", "ZeroDivisionError: by the application"),
    say("raises_after_start", "/", "ZeroDivisionError: after start"),
    say("exits", "/", "SystemExit: 5"),
    say("cancels_itself", "/", "CancelledError"),
    say("silent", "/", "ASGI: the application returned without a response"),
    say("only_starts", "/", "ASGI: the application returned without a response"),
    say("body_first", "/", "ASGI: http.response.start comes before http.response.body"),
    say("starts_twice", "/", "ASGI: http.response.start may be sent only once"),
    say("bad_message", "unknown", "ASGI: an HTTP request has no message 'http.response.bogus'"),
    say("bad_message", "text", "ASGI: a message is a dict"),
    say("bad_message", "untyped", "ASGI: an HTTP request has no message None"),
    say("bad_message", "status-str", "ASGI: http.response.start has a status of type int, not '200'"),
    say("bad_message", "status-bool", "ASGI: http.response.start has a status of type int, not True"),
    say("bad_message", "status-none", "ASGI: http.response.start has a status of type int, not None"),
    say("bad_message", "status-interim", "ASGI: http.response.start has a final status"),
    *(
        say("bad_message", f"header-{kind}", "ASGI: headers are an iterable of (name, value), both bytes")
        for kind in ("str", "mixed", "triple", "none")
    ),
    say("bad_message", "header-crlf", "ASGI: no control characters in a header: b'a'"),
    say("bad_message", "header-nul", "ASGI: no control characters in a header"),
    say("bad_piece", "/", "ASGI: the body of http.response.body is bytes, not str"),
    say("bad_path", "relative", "ASGI: http.response.pathsend takes an absolute path"),
    say("bad_path", "/", "ASGI: http.response.pathsend takes a regular file"),
    say("bad_path", "/no/such/file", "FileNotFoundError"),
    say("huge_head", "/", "message of more than 131072 bytes"),
]


def test_a_head_that_was_allowed_allows_no_other_types(noisy):
    for _ in range(2):
        for kind in ("right", "lists", "tuple", "iterator", "enum"):
            got = noisy.get("twins", path=kind)
            headers = [tuple(pair) for pair in got.headers]
            assert (got.status, type(got.status), headers) == (200, int, [(b"a", b"b")]), kind
        for kind in ("float", "text", "mixed"):
            assert noisy.get("twins", path=kind).status == 500, kind


def test_many_heads(noisy):
    """More than are kept."""
    for n in [*range(600), *range(20)]:
        got = noisy.get("many_heads", path=f"{n}")
        assert (got.headers, got.body) == ([(b"n", b"%d" % n)], b"%d" % n)


@pytest.mark.parametrize(("app", "path", "says"), BEFORE_THE_HEAD)
def test_failure_before_the_head_is_a_500_and_told_once(noisy, app, path, says):
    told = len(noisy.master.stderr())
    before = noisy.fds()
    number = noisy.ask(app, path=path)
    got = noisy.answer(number)
    assert got.status == 500 and b"<h1>" in got.body
    text = noisy.master.stderr()[told:]
    assert text.count(says) == 1, text
    assert f"[ERROR] request {number:#x} GET {path!r} failed:\n" in text
    assert "indrik/" not in text
    assert noisy.get("hello").status == 200
    until(lambda: noisy.fds() <= before)


@pytest.mark.parametrize(
    ("app", "says"),
    [
        ("raises_later", "ZeroDivisionError: too late"),
        ("stops_early", "ASGI: the application returned before the last http.response.body"),
        ("no_trailers", "ASGI: the application returned without the http.response.trailers it had announced"),
        ("hint_too_late", "ASGI: http.response.early_hint after http.response.body"),
    ],
)
def test_failure_after_the_head_is_told_at_its_end(noisy, app, says):
    told = len(noisy.master.stderr())
    got = noisy.get(app)
    assert got.kind == "stream" and not got.complete and says in got.text
    assert says in noisy.master.stderr()[told:]
    assert noisy.get("hello").status == 200


@pytest.mark.parametrize(
    ("app", "body", "says"),
    [
        ("raises_at_the_end", b"fine", "ZeroDivisionError: after the end"),
        ("after_the_end", b"fine", "ASGI: http.response.body after the one without more_body"),
        ("restarts", b"fine", "ASGI: http.response.start may be sent only once"),
        ("too_long", b"abc", "ASGI: the body is longer than its content-length"),
    ],
)
def test_failure_after_the_end_does_not_spoil_the_reply(noisy, app, body, says):
    told = len(noisy.master.stderr())
    got = noisy.get(app)
    assert (got.status, got.body, got.complete) == (200, body, True)
    until(lambda: says in noisy.master.stderr()[told:])


@pytest.mark.parametrize(("app", "status"), [("crashes", -signal.SIGSEGV), ("leaves", 9), ("interrupts", 1)])
def test_what_kills_the_worker(app, status):
    with Shop(quiet=False) as s:
        s.ask("waits", path="/never")
        s.ask(app)
        assert s.worker.wait() in (status, -signal.SIGINT if app == "interrupts" else status)


@pytest.mark.parametrize(
    "message",
    [(1, {}), (1, {}, 1.5), (63 << 56, {}, b""), ("1", {}, b""), (1, {}, "text"), (1, 5)],
)
def test_bad_wire_is_status_5(message):
    with Shop(quiet=False) as s:
        send(s.worker.own, message)
        assert s.worker.wait() == 5
        assert "not a request" in s.master.stderr()


# The gateway's answers to who asks for a body.


def test_bad_answer_about_a_descriptor_is_status_5():
    with Shop(quiet=False) as s:
        send(s.worker.own, (1, scope(), None))
        assert receive(s.worker.replies[0]) == ((1, "descriptor"), [])
        s.worker.replies[0].send(b"not marshal data")
        assert s.worker.wait() == 5
        assert "who asked for a descriptor" in s.master.stderr()


def test_a_request_that_has_ended_is_forgotten(shop):
    before = shop.worker.fds()
    send(shop.worker.own, (shop.master.next_id(), scope(query_string=b"raises"), None))
    shop.worker.take(0)  # the question, which is answered with nothing
    assert shop.get("hello").status == 200
    assert shop.worker.early == [] and shop.worker.fds() == before


def test_a_gateway_that_dies_with_the_question_is_asked_again(shop):
    number = shop.master.next_id()
    send(shop.worker.own, (number, scope(query_string=b"echo"), None))
    assert receive(shop.worker.replies[0])[0] == (number, "descriptor")  # and says nothing more
    send(shop.worker.replies[0], (number + 1,))  # what an earlier one has said
    shop.master.beside[number] = memory(b"abc")
    assert shop.answer(number).body == b"abc"


def test_worker_that_leaves_waits_for_no_descriptor():
    with Shop(graceful_timeout=1_000) as s:
        send(s.worker.own, (s.master.next_id(), scope(), None))
        assert receive(s.worker.replies[0])[0][1] == "descriptor"  # and nobody answers
        assert s.worker.retire() == 0
