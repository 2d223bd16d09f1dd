"""What a client of the package websockets sees of the echo applications.

    conversations.py URL NAME...

Runs these checks, each on a connection of its own, and ends with 0 if all held.
"""

import ssl
import sys
import threading

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

URL = sys.argv[1].rstrip("/")
TLS = ssl.create_default_context()
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE
# This client reads in a thread of its own. With TLS 1.3 that wakes for a session ticket,
# blocks in SSL_read with the lock of the socket held, and then nothing can be sent: seen
# once in some hundred connections on a busy machine.
TLS.maximum_version = ssl.TLSVersion.TLSv1_2


def open_at(path="/", **more):
    if URL.startswith("wss:"):
        more["ssl"] = TLS
    return connect(URL + path, max_size=None, **more)


def echo(compression="deflate"):
    with open_at(compression=compression) as ws:
        for message in ["hello", "", b"\x00\xff", "Καλημέρα", "x" * 70_000, b"y" * 1_000_000, "ab " * 500_000, "end"]:
            ws.send(message)
            assert ws.recv() == message, message[:20]


def plain_echo():
    echo(compression=None)


def compression():
    with open_at() as ws:
        assert "permessage-deflate" in ws.response.headers["Sec-WebSocket-Extensions"]


def fragments():
    with open_at() as ws:
        ws.send(["one ", "two ", "three"])
        assert ws.recv() == "one two three"


def pings():
    with open_at() as ws:
        assert ws.ping().wait(10)
        ws.send("after")
        assert ws.recv() == "after"


def many():
    with open_at() as ws:
        sender = threading.Thread(target=lambda: [ws.send(str(i)) for i in range(2000)])
        sender.start()
        assert [ws.recv() for _ in range(2000)] == [str(i) for i in range(2000)]
        sender.join()


def subprotocols():
    with open_at(subprotocols=["v1", "v2"]) as ws:
        assert ws.subprotocol == "v2"
        assert ws.response.headers["X-Scheme"] == URL.partition(":")[0]
        assert "X-Scheme" in ws.response.headers


def closes():
    with open_at() as ws:
        ws.close(4000, "bye")
    assert ws.close_code == 4000, ws.close_code


def floods():
    """A client that reads slowly gets all of it, in order."""
    with open_at("/floods") as ws:
        for i in range(2000):
            assert ws.recv() == i.to_bytes(4, "big") * 8000
        try:
            ws.recv()
        except ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4001, "all said")
        else:
            raise AssertionError("no close")


def refused(path, status, body):
    try:
        open_at(path)
    except InvalidStatus as error:
        assert error.response.status_code == status, error
        assert body is None or error.response.body == body, error.response.body
        return error.response
    raise AssertionError("accepted")


def declined():
    refused("/declined", 403, None)


def denied():
    assert refused("/denied", 401, b"who are you?").headers["X-Why"] == "no"


def too_big():
    with open_at() as ws:
        try:
            ws.send(b"x" * (16 << 20) + b"x")
            ws.recv()
        except ConnectionClosed as closed:
            assert closed.rcvd.code == 1009, closed


def crowd():
    """Many at a time."""
    all_of_them = [open_at() for _ in range(100)]
    for i, ws in enumerate(all_of_them):
        ws.send(str(i))
    for i, ws in enumerate(all_of_them):
        assert ws.recv() == str(i)
        ws.close()


def waits_for_close():
    """Says when it is open, and then with which code it was closed."""
    with open_at() as ws:
        ws.send("open")
        print(ws.recv(), flush=True)
        try:
            ws.recv()
        except ConnectionClosed as closed:
            print("closed", closed.rcvd.code if closed.rcvd else "without a word", flush=True)


for name in sys.argv[2:]:
    print(name, flush=True)
    globals()[name]()
