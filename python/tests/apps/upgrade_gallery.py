"""WSGI applications that take a connection over, or do not."""

import threading


def echo(environ, start_response):
    sock = environ["gunicorn.socket"]
    assert sock is environ["werkzeug.socket"] is environ["indrik.socket"]
    assert environ["wsgi.input"].read() == b""
    sock.sendall(b"101\n")
    while data := sock.recv(1 << 16):
        sock.sendall(data)


def by_stop_iteration(environ, start_response):
    echo(environ, start_response)
    raise StopIteration


def by_nothing(environ, start_response):
    echo(environ, start_response)
    return []


def by_a_reply(environ, start_response):
    echo(environ, start_response)
    start_response("200 OK", [])
    return [b"dropped by the gateway"]


def floods(environ, start_response):
    sock = environ["indrik.socket"]
    data = b"telegraph " * 300_000
    assert sock.send(data) == len(data)
    sock.sendall(data)
    raise StopIteration


def declines(environ, start_response):
    start_response("400 Bad Request", [])
    return [b"no"]


def raises(environ, start_response):
    environ["indrik.socket"].sendall(b"101\n")
    raise ValueError("in the middle")


def leaves_a_reader(environ, start_response):
    """simple-websocket has a thread of its own that reads."""
    sock = environ["indrik.socket"]
    sock.sendall(b"101\n")

    def read():
        while sock.recv(100):
            pass
        sock.close()

    threading.Thread(target=read).start()
    raise StopIteration


def ordinary(environ, start_response):
    assert "indrik.socket" not in environ
    start_response("200 OK", [])
    return [b"ordinary %d" % threading.active_count()]


def stops(environ, start_response):
    raise StopIteration


def shop(environ, start_response):
    return globals()[environ["QUERY_STRING"]](environ, start_response)
