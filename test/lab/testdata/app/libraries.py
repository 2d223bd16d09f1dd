"""What the hardening of the units must leave possible: each path of this application does
one thing that ordinary applications do, and answers "yes"."""

import ctypes
import multiprocessing
import os
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import urllib.request

STATE = os.environ["STATE_DIRECTORY"]


def numpy():
    import numpy

    a = numpy.random.default_rng(1).random((200, 200))
    return bool(numpy.allclose(a @ numpy.linalg.inv(a), numpy.eye(200)))


def django():
    """An ORM that writes to SQLite in the instance's own directory."""
    from django.conf import settings

    if not settings.configured:
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(STATE, "django.sqlite")}
        settings.configure(DATABASES={"default": database}, INSTALLED_APPS=["django.contrib.contenttypes"])
        import django

        django.setup()
    from django.contrib.contenttypes.models import ContentType
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    ContentType.objects.get_or_create(app_label="lab", model="thing")
    return ContentType.objects.filter(app_label="lab").count() == 1


def sqlite():
    with sqlite3.connect(os.path.join(STATE, "wal.sqlite")) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE IF NOT EXISTS t (n)")
        db.execute("INSERT INTO t VALUES (1)")
        return db.execute("SELECT count(*) FROM t").fetchone()[0] >= 1


def https():
    """A request to somebody else's server, whose certificate is verified."""
    trust = ssl.create_default_context(cafile="/srv/https/cert.pem")
    with urllib.request.urlopen("https://localhost:8443/", context=trust, timeout=20) as answer:
        return answer.read() == b"secret\n"


def names():
    return bool(socket.getaddrinfo("localhost", 80))


def processes():
    context = multiprocessing.get_context("fork")
    pool = context.Pool(2)
    done = pool.map(abs, [-1, -2]) == [1, 2]
    pool.terminate()
    pool.join()
    return done


def programs():
    return subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, check=True).stdout == b"42\n"


def temporary():
    with tempfile.NamedTemporaryFile() as f:
        return os.path.dirname(f.name) == "/tmp"


def home():
    """Where libraries keep their caches."""
    path = os.path.expanduser("~/.cache")
    os.makedirs(path, exist_ok=True)
    return os.path.realpath(path).endswith("/" + os.environ["STATE_DIRECTORY"].rsplit("/", 1)[1] + "/.cache")


def callbacks():
    """Memory that can be executed, which ctypes wants for its callbacks."""
    call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + 1)
    return call(1) == 2


def niceness():
    os.nice(1)
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    return os.sched_getscheduler(0) == os.SCHED_BATCH  # the setting scheduling


def walls():
    """What must not be possible: to write elsewhere, to see others, to become somebody."""
    for path in ("/srv/probe", "/usr/probe", "/etc/probe", "/run/indrik/probe", "/var/lib/probe"):
        try:
            open(path, "w").close()
        except OSError:
            continue
        raise AssertionError(f"{path} could be written")
    if os.path.isdir("/proc/1"):
        raise AssertionError("processes of others are seen")
    try:
        os.setuid(0)
    except OSError:
        return True
    raise AssertionError("it is root")


def app(environ, start_response):
    able = globals()[environ["PATH_INFO"].strip("/")]()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"yes\n" if able else b"no\n"]
