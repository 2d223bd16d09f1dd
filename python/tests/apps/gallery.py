"""A gallery of applications, good and bad. Each is one behaviour of a real one."""

import atexit
import ctypes
import gzip
import hashlib
import io
import json
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
from wsgiref.validate import validator

TEXT = [("Content-Type", "text/plain")]


def hello(environ, start_response):
    body = b"Hello, world!"
    start_response("200 OK", [*TEXT, ("Content-Length", str(len(body)))])
    return [body]


valid_hello = validator(hello)


def stuck(environ, start_response):
    """Waits in C and keeps the interpreter lock: no Python code can run meanwhile."""
    never, _writer = os.pipe()
    ctypes.PyDLL(None).read(never, ctypes.create_string_buffer(1), 1)


def facts(environ, start_response):
    """What an application finds in its process."""
    fds = {}
    for fd in range(256):
        try:
            fds[fd] = os.get_inheritable(fd)
        except OSError:
            pass
    found = {
        "path": sys.path,
        "argv": sys.argv,
        "cwd": os.getcwd(),
        "slot": os.environ.get("INDRIK_SLOT"),
        "generation": os.environ.get("INDRIK_GENERATION"),
        "modules": sorted(name for name in sys.modules if "indrik" in name),
        "threads": threading.active_count(),
        "fds": {fd: inheritable for fd, inheritable in fds.items() if fd > 2},
        "importers": [path for path in sys.path_importer_cache if "/proc/self" in path],
        "environ": sorted(environ),
    }
    start_response("200 OK", TEXT)
    return [json.dumps(found).encode()]


def hints(environ, start_response):
    early = environ["wsgi.early_hints"]
    early([("Link", "</style.css>; rel=preload; as=style"), ("X-Latin", "caf\xe9")])
    early(())
    body = hello(environ, start_response)
    for wrong in ([("Link", "a\r\nb: c")], [("Link", 1)], [("Link", "\u0142")], "Link", [("Link", "x" * 200_000)]):
        try:
            early(wrong)
        except Exception as error:
            if type(error).__module__ != "indrik":
                raise
        else:
            raise AssertionError(f"{wrong!r:.50} was taken for hints")
    start = start_response("200 OK", TEXT, (ValueError, ValueError(), None))
    start(b"begun ")
    early([("Link", "late")])
    return [b"", *body]


def reads(environ, start_response):
    """Reads its body in every way that PEP 3333 knows."""
    source = environ["wsgi.input"]
    got = [source.read(0), source.read(3), source.readline(), source.readline(4), source.readline()]
    got += [source.readlines(1), [next(source)], source.read1(2), source.read(), source.read(), source.read(5)]
    got += [source.readline(), source.readlines(), list(source)]
    start_response("200 OK", TEXT)
    return [repr(got).encode()]


def digests(environ, start_response):
    source = environ["wsgi.input"]
    digest, size = hashlib.sha256(), 0
    while block := source.read(100_000):
        digest.update(block)
        size += len(block)
    start_response("200 OK", TEXT)
    return [f"{size} {digest.hexdigest()} {environ.get('CONTENT_LENGTH')}".encode()]


def survives_a_cut(environ, start_response):
    """A cut body is an OSError with a clear text."""
    source = environ["wsgi.input"]
    first = source.read1(3)
    try:
        rest = source.read()
    except OSError as error:
        rest = f"{type(error).__name__}: {error}".encode()
    start_response("200 OK", TEXT)
    return [first + b" " + rest]


def echoes_lines(environ, start_response):
    """Answers each line of its body before it has the next one."""
    start_response("200 OK", TEXT)
    return (line.upper() for line in environ["wsgi.input"])


def informs_by_start(environ, start_response):
    start_response("103 Early Hints", TEXT)
    return [b""]


@validator
def echo(environ, start_response):
    size = int(environ["CONTENT_LENGTH"])
    source = environ["wsgi.input"]
    body = source.read(size)
    assert source.read(1) == b""
    start_response("200 OK", TEXT)
    return [body]


def digest(environ, start_response):
    """Reads an upload to its end in pieces, and says what the input is."""
    total, source = 0, environ["wsgi.input"]
    line = source.readline()
    total += len(line)
    while piece := source.read(65536):
        total += len(piece)
    start_response("200 OK", TEXT)
    return [f"{total} {line[:10]!r} {source.closed}".encode()]


inputs = []


def keeps_input(environ, start_response):
    """Says whether the input of the last request was closed."""
    inputs.append(environ["wsgi.input"])
    start_response("200 OK", TEXT)
    return [str([i.closed for i in inputs]).encode()]


@validator
def generator(environ, start_response):
    start_response("200 OK", TEXT)
    yield b"one "
    yield b""
    yield b"two "
    yield b"three"


def lazy_start(environ, start_response):
    """start_response comes with the first chunk, after empty ones."""
    yield b""
    start_response("200 OK", TEXT)
    yield b"late"


def stepwise(environ, start_response):
    """The second chunk waits for the client to have had the first."""
    start_response("200 OK", TEXT)
    yield b"first"
    with open(environ["PATH_INFO"], "rb") as fifo:
        yield fifo.read()


def exact_generator(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "5")])
    yield b"exact"
    log.append("after the last chunk")


def too_much(environ, start_response):
    start_response("200 OK", [*TEXT, ("content-length", " 5 ")])
    while True:
        yield b"12345"


def empty_generator(environ, start_response):
    start_response("204 No Content", [])
    yield b""


def empty_list(environ, start_response):
    start_response("304 Not Modified", [])
    return []


class Sized:
    def __init__(self, *chunks):
        self.chunks = chunks

    def __len__(self):
        return len(self.chunks)

    def __iter__(self):
        return iter(self.chunks)


def sized_one(environ, start_response):
    start_response("200 OK", TEXT)
    return Sized(b"the only one")


def sized_two(environ, start_response):
    start_response("200 OK", TEXT)
    return Sized(b"one of ", b"two")


def chunks_list(environ, start_response):
    start_response("200 OK", TEXT)
    return (b"a", b"", b"b", b"c")


def page(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"p" * (112 << 10)]


def longer_page(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"p" * (112 << 10), b"q"]


def big_list(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"x" * 300_000, b"y" * 300_000]


def big_first(environ, start_response):
    start_response("200 OK", TEXT)
    yield b"x" * 300_000
    yield b"y"


def big_headers(environ, start_response):
    start_response("200 OK", [*TEXT, *((f"X-{i}", "v" * 4000) for i in range(20))])
    return [b"z" * 60_000]


def big_headers_stream(environ, start_response):
    start_response("200 OK", [*TEXT, *((f"X-{i}", "v" * 4000) for i in range(20))])
    yield b"z" * 60_000
    yield b"end"


def huge_headers(environ, start_response):
    start_response("200 OK", [("X-Huge", "v" * 200_000)])
    return [b"never"]


def huge_headers_stream(environ, start_response):
    start_response("200 OK", [("X-Huge", "v" * 200_000)])
    yield b"never"


@validator
def writes(environ, start_response):
    write = start_response("200 OK", TEXT)
    write(b"written ")
    write(b"twice ")
    return [b"and returned"]


def writes_all(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "3")])(b"all")
    return []


def writes_text(environ, start_response):
    start_response("200 OK", TEXT)("text")
    return []


def raises(environ, start_response):
    raise ZeroDivisionError("by the application")


def raises_after_start(environ, start_response):
    start_response("200 OK", TEXT)
    raise ZeroDivisionError("after start_response")


def raises_at_first(environ, start_response):
    start_response("200 OK", TEXT)
    raise ZeroDivisionError("before the first chunk")
    yield b"never"


def raises_late(environ, start_response):
    start_response("200 OK", TEXT)
    yield b"begun"
    raise ZeroDivisionError("after the first chunk")


def raises_surrogate(environ, start_response):
    start_response("200 OK", TEXT)
    yield b"begun"
    raise ValueError("bad \udce9 text")


def recovers(environ, start_response):
    """The error page pattern of PEP 3333."""
    start_response("200 OK", TEXT)
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        start_response("503 Service Unavailable", TEXT, sys.exc_info())
    return [b"sorry"]


def recovers_too_late(environ, start_response):
    start_response("200 OK", TEXT)(b"begun")
    try:
        raise ZeroDivisionError("too late")
    except ZeroDivisionError:
        start_response("503 Service Unavailable", TEXT, sys.exc_info())
    return [b"never"]


def exits(environ, start_response):
    sys.exit(5)


def interrupts(environ, start_response):
    raise KeyboardInterrupt


def crashes(environ, start_response):
    os.kill(os.getpid(), signal.SIGSEGV)


def starts_twice(environ, start_response):
    start_response("200 OK", TEXT)
    start_response("200 OK", TEXT)
    return [b"never"]


def never_starts(environ, start_response):
    return [b"body without a head"]


def never_starts_generator(environ, start_response):
    yield b"body without a head"


def never_starts_empty(environ, start_response):
    return iter([])


HEADS = {
    "crlf": ("200 OK", [("X-Bad", "a\r\nSet-Cookie: b")]),
    "newline-name": ("200 OK", [("X-Bad\n", "a")]),
    "nul": ("200 OK", [("X-Bad", "a\0")]),
    "wide": ("200 OK", [("X-Bad", "\u20ac")]),
    "bytes-value": ("200 OK", [("X-Bad", b"a")]),
    "bytes-name": ("200 OK", [(b"X-Bad", "a")]),
    "bytes-both": ("200 OK", [(b"X-Bad", b"a")]),
    "int-value": ("200 OK", [("Content-Length", 5)]),
    "triple": ("200 OK", [("X-Bad", "a", "b")]),
    "not-pairs": ("200 OK", ["X-Bad: a"]),
    "none": ("200 OK", None),
    "bytes-status": (b"200 OK", []),
    "int-status": (200, []),
    "no-status": ("", []),
    "word-status": ("OK", []),
    "long-code": ("2000 OK", []),
    "superscript": ("20\u00b2 OK", []),
    "interim": ("101 Switching Protocols", []),
    "crlf-status": ("200 OK\r\nX: y", []),
}


def bad_head(environ, start_response):
    start_response(*HEADS[environ["PATH_INFO"]])
    return [b"never"]


BODIES = {"list": ["text"], "mixed": [b"a", "b"], "str": "text", "bytes": b"text", "none": None, "number": 5}


def bad_body(environ, start_response):
    start_response("200 OK", TEXT)
    return BODIES[environ["PATH_INFO"]]


class Loud(str):
    """A subclass of str, such as Django's SafeString."""


def subclassed(environ, start_response):
    start_response(Loud("200 OK"), [("Content-Type", Loud("text/plain")), (Loud("X-Latin"), "caf\xe9")])
    return [b"ok"]


def lists_for_pairs(environ, start_response):
    start_response("200 OK", [["Content-Type", "text/plain"]])
    return [b"ok"]


log = []


class Closing:
    """An iterable that tells what happened to it."""

    def __init__(self, chunks, close_error=None):
        self.chunks, self.close_error = chunks, close_error

    def __iter__(self):
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    def close(self):
        log.append("closed")
        if self.close_error:
            raise self.close_error


CLOSINGS = {
    "list": lambda: Closing([b"one"]),
    "late": lambda: Closing([b"one", ZeroDivisionError("late")]),
    "first": lambda: Closing([ZeroDivisionError("first")]),
    "raises": lambda: Closing([b"one", b"two"], ZeroDivisionError("close")),
    "empty-raises": lambda: Closing([], ZeroDivisionError("close")),
    "text": lambda: Closing(["text"]),
    "endless": lambda: Closing(b"x" * 65536 for _ in iter(int, 1)),
}


def closing(environ, start_response):
    start_response("200 OK", TEXT)
    return CLOSINGS[environ["PATH_INFO"]]()


def story(environ, start_response):
    """What log holds, which it then forgets."""
    start_response("200 OK", TEXT)
    told = json.dumps(log).encode()
    log.clear()
    return [told]


def shop(environ, start_response):
    """Dispatches to the others by the first part of the query, so that one worker
    can be asked several things."""
    return globals()[environ["QUERY_STRING"]](environ, start_response)


def endless_write(environ, start_response):
    write = start_response("200 OK", TEXT)
    try:
        while True:
            write(b"x" * 65536)
    except OSError as error:
        log.append(type(error).__name__)
        raise


def wrapped(environ, start_response):
    """A file through wsgi.file_wrapper: PATH_INFO is its path, QUERY_STRING the
    position and the Content-Length."""
    position, length = (environ["QUERY_STRING"] or ",").split(",")
    file = open(environ["PATH_INFO"], "rb")
    file.seek(int(position or 0))
    start_response("200 OK", [*TEXT, *([("Content-Length", length)] if length else [])])
    return environ["wsgi.file_wrapper"](file, 8192)


def wrapped_temporary(environ, start_response):
    file = tempfile.NamedTemporaryFile()
    file.write(b"t" * 100_000)
    file.seek(10)
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](file)


def wrapped_gzip(environ, start_response):
    """fileno() of a gzip file speaks of the compressed bytes."""
    raw = tempfile.TemporaryFile()
    with gzip.open(raw, "wb") as z:
        z.write(random.Random(1).randbytes(200_000))  # does not get shorter
    raw.seek(0)
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](gzip.open(raw), 4096)


def wrapped_memory(environ, start_response):
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](io.BytesIO(b"m" * 20_000), 8192)


def wrapped_pipe(environ, start_response):
    reader, writer = os.pipe()
    os.write(writer, b"through a pipe")
    os.close(writer)
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](open(reader, "rb"))


def waits(environ, start_response):
    """Waits until the fifo in PATH_INFO is written to."""
    with open(environ["PATH_INFO"], "rb") as fifo:
        body = fifo.read()
    start_response("200 OK", TEXT)
    return [body]


def naps(environ, start_response):
    time.sleep(float(environ["PATH_INFO"]))
    start_response("200 OK", TEXT)
    return [b"rested"]


def forks(environ, start_response):
    """Children of the worker's, as multiprocessing makes them; SIGTERM must end each, also in
    the moment of the fork."""
    ends = set()
    for _ in range(100):
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
            os._exit(0)
        os.kill(pid, signal.SIGTERM)
        ends.add(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    start_response("200 OK", TEXT)
    return [",".join(map(str, ends)).encode()]


def default_timeout(environ, start_response):
    """An application that sets the default timeout of sockets still may stream slowly."""
    socket.setdefaulttimeout(0.05)
    start_response("200 OK", TEXT)
    yield b"x" * 1000
    for _ in range(50):
        yield b"y" * 100_000


class Holder:
    class inner:
        app = staticmethod(hello)


def factory(*args, **kwargs):
    def made(environ, start_response):
        start_response("200 OK", TEXT)
        return [repr((args, kwargs)).encode()]

    return made


def bad_factory():
    raise LookupError("in the factory")


def none_factory():
    return None


number = 5
application = hello


def half(environ, start_response):
    """Half a second of waiting."""
    time.sleep(0.5)
    start_response("200 OK", TEXT)
    return [b"waited"]


def forks_and_returns(environ, start_response):
    """Both the worker and its copy come back from here."""
    how = environ["PATH_INFO"]
    pid = os.fork()
    if pid:
        start_response("200 OK", [*TEXT, ("X-Child", str(pid))])
        return iter([b"par", b"ent"])
    if how == "exits":
        sys.exit(7)
    if how == "raises":
        raise ZeroDivisionError("in the copy")
    start_response("200 OK", TEXT)
    return iter([b"co", b"py"]) if how == "streams" else [b"copy"]


def forks_in_a_stream(environ, start_response):
    start_response("200 OK", TEXT)
    yield b"one "
    if os.fork():
        os.wait()
        yield b"parent"
    else:
        yield b"copy"


def reaps(environ, start_response):
    """How the child in PATH_INFO ended."""
    code = os.waitstatus_to_exitcode(os.waitpid(int(environ["PATH_INFO"]), 0)[1])
    start_response("200 OK", TEXT)
    return [json.dumps(code).encode()]


def leaves_thread(environ, start_response):
    threading.Thread(target=time.sleep, args=(600,), name="forgotten").start()
    return hello(environ, start_response)


def leaves_atexit(environ, start_response):
    atexit.register(ctypes.CDLL(None).sleep, 600)
    return hello(environ, start_response)


def crashes_deep(environ, start_response):
    ctypes.string_at(0)


def leaps(environ, start_response):
    os._exit(9)


def blocks(environ, start_response):
    """Stands still where no hub can take over."""
    ctypes.CDLL(None).sleep(2)
    start_response("200 OK", TEXT)
    return [b"blocked"]
