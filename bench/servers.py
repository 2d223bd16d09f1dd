"""How each server is started: with the settings that its own documentation gives for two processors.

Every server that has workers gets the same number of them. Where a workload
needs seats (threads), it says how many, and every threaded server gets those.
"""

from __future__ import annotations

import os
import pathlib
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
APPS = HERE / "apps"
PYTHON = sys.executable
BIN = pathlib.Path(sys.executable).parent


@dataclass(frozen=True)
class Launch:
    """What a workload asks of a server."""

    address: str  # host:port or unix:PATH
    folder: pathlib.Path  # for its files, with cert.pem and key.pem
    app: str = "plain"  # a module of apps/
    workers: int = 2
    threads: int = 4  # of threaded servers, for each worker
    tls: bool = False
    preload: bool = False
    patient: bool = False  # keep idle connections for two minutes
    control: bool = False  # a control socket, folder/control
    inherited: bool = False  # the socket is descriptor 3, as systemd passes it

    @property
    def port(self) -> str:
        return self.address.rpartition(":")[2]

    @property
    def unix(self) -> str:
        """The path of the Unix socket, or nothing."""
        return self.address.removeprefix("unix:") if self.address.startswith("unix:") else ""

    @property
    def certificate(self) -> list[str]:
        """The options that most servers have for it."""
        return ["--certfile", f"{self.folder}/cert.pem", "--keyfile", f"{self.folder}/key.pem"] if self.tls else []


@dataclass(frozen=True)
class Peer:
    """One row of the results."""

    name: str
    family: str  # wsgi, asgi; static: no Python at all
    package: str  # whose version is recorded
    settings: str  # what is not its default, for the table
    command: Callable[[Launch], list[str]]
    reload: signal.Signals | None = None
    rest: float = 0.2  # seconds between two deaths of workers that it does not take for a crash loop


def indrik(*options: str, family: str = "wsgi") -> Callable[[Launch], list[str]]:
    def command(to: Launch) -> list[str]:
        given = [str(ROOT / "bin/indrik"), "--python", PYTHON, "--log-level", "warning", "-w", str(to.workers)]
        given += [] if to.inherited else ["-b", to.address]
        given += ["--threads", str(to.threads)] if "gthread" in options else []
        given += ["--preload"] if to.preload else []
        given += ["--control-socket", f"{to.folder}/control"] if to.control else []
        given += ["--keep-alive", "120", "--client-timeout", "120", "--min-body-rate", "0"] if to.patient else []
        return [*given, *options, *to.certificate, f"{to.app}:{family}"]

    return command


def gunicorn(kind: str, family: str = "wsgi") -> Callable[[Launch], list[str]]:
    def command(to: Launch) -> list[str]:
        given = [PYTHON, "-m", "gunicorn", "-k", kind, "--log-level", "warning", "-w", str(to.workers)]
        given += [] if to.inherited else ["-b", to.address]
        given += ["--threads", str(to.threads)] if kind == "gthread" else []
        given += ["--preload"] if to.preload else []
        given += [*to.certificate, "--http-protocols", "h2,h1"] if to.tls else []
        return [*given, "--worker-tmp-dir", "/dev/shm", "--keep-alive", "15", f"{to.app}:{family}"]

    return command


def uvicorn(to: Launch) -> list[str]:
    bound = ["--fd", "3"] if to.inherited else ["--uds", to.unix] if to.unix else ["--port", to.port]
    bound += ["--timeout-keep-alive", "120"] if to.patient else []
    fastest = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return [PYTHON, "-m", "uvicorn", "--workers", str(to.workers), *bound, *fastest, f"{to.app}:asgi"]


def granian(family: str) -> Callable[[Launch], list[str]]:
    def command(to: Launch) -> list[str]:
        bound = ["--uds", to.unix] if to.unix else ["--port", to.port]
        given = [str(BIN / "granian"), "--interface", family, "--workers", str(to.workers), *bound, "--log-level", "warning"]
        given += ["--blocking-threads", str(to.threads)] if family == "wsgi" else []
        given += ["--backlog", "16384", "--backpressure", "16384"] if to.patient else []
        certificate = ["--ssl-certificate", f"{to.folder}/cert.pem", "--ssl-keyfile", f"{to.folder}/key.pem"]
        given += [*certificate, "--http", "2"] if to.tls else ["--http", "1" if family == "wsgi" else "auto"]
        return [*given, "--loop", "uvloop", "--respawn-failed-workers", f"{to.app}:{family}"]

    return command


def uwsgi(to: Launch) -> list[str]:
    bound = ["--socket", to.unix] if to.unix else ["--http11-socket", f"127.0.0.1:{to.port}"]
    given = [str(BIN / "uwsgi"), "--master", "--need-app", "--die-on-term", "--disable-logging", "--listen", "1024"]
    given += ["--processes", str(to.workers), "--enable-threads", *bound]
    given += ["--threads", str(to.threads)] if to.threads > 1 else []
    return [*given, "--pythonpath", str(APPS), "--module", f"{to.app}:wsgi"]


def hypercorn(to: Launch) -> list[str]:
    bound = "fd://3" if to.inherited else to.address
    given = [PYTHON, "-m", "hypercorn", "-w", str(to.workers), "-k", "uvloop", "-b", bound, "--log-level", "warning"]
    return [*given, *to.certificate, f"{to.app}:asgi"]


def waitress(to: Launch) -> list[str]:
    bound = f"--unix-socket={to.unix}" if to.unix else f"--listen={to.address}"
    return [str(BIN / "waitress-serve"), bound, f"--threads={to.threads * to.workers}", f"{to.app}:wsgi"]


def bjoern(to: Launch) -> list[str]:
    return [PYTHON, str(APPS / "serve_bjoern.py"), to.port, str(to.workers)]


def nginx(to: Launch) -> list[str]:
    """Answers / by `return 200`, /10k and /100k and /download as files; PUT /upload writes one."""
    files = to.folder / "files"
    files.mkdir(exist_ok=True)
    for name, size in ("10k", 10 << 10), ("100k", 100 << 10), ("download", 100 << 20):
        if not (files / name).exists():
            (files / name).write_bytes(bytes(size))
    secure = f"ssl_certificate {to.folder}/cert.pem; ssl_certificate_key {to.folder}/key.pem;" if to.tls else ""
    return nginx_with(
        to,
        f"""server {{
          listen {to.address}{" ssl http2" if to.tls else ""} backlog=1024; {secure} root {files}; default_type text/plain;
          location = / {{ return 200 "Hello, world!\\n"; }}
          location / {{ dav_methods PUT; client_max_body_size 0; }}
        }}""",
    )


def nginx_with(to: Launch, server: str) -> list[str]:
    """nginx with this `server` block, two workers, and all its files in the folder."""
    temps = " ".join(f"{kind}_temp_path {to.folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    path = to.folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # or its workers could not write to the folder
    path.write_text(f"""daemon off; {user} worker_processes {to.workers}; pid {to.folder}/nginx.pid; error_log {to.folder}/error.log;
events {{ worker_connections 16384; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; keepalive_timeout 120; open_file_cache max=16; {temps}
  {server}
}}
""")
    return ["nginx", "-e", f"{to.folder}/error.log", "-c", str(path)]


HUP = signal.SIGHUP
PEERS = {
    peer.name: peer
    for peer in (
        Peer("indrik sync", "wsgi", "", "", indrik(), HUP),
        Peer("indrik gthread", "wsgi", "", "-k gthread, 4 threads", indrik("-k", "gthread"), HUP),
        Peer("indrik gevent", "wsgi", "", "-k gevent", indrik("-k", "gevent"), HUP),
        Peer("indrik asgi", "asgi", "", "--asgi-loop uvloop", indrik("--asgi-loop", "uvloop", family="asgi"), HUP),
        Peer("gunicorn sync", "wsgi", "gunicorn", "heartbeat in /dev/shm", gunicorn("sync"), HUP),
        Peer("gunicorn gthread", "wsgi", "gunicorn", "4 threads, heartbeat in /dev/shm, keep-alive 15", gunicorn("gthread"), HUP),
        Peer("gunicorn gevent", "wsgi", "gunicorn", "heartbeat in /dev/shm, keep-alive 15", gunicorn("gevent"), HUP),
        Peer("gunicorn asgi", "asgi", "gunicorn", "heartbeat in /dev/shm, keep-alive 15", gunicorn("asgi", "asgi"), HUP),
        Peer("uvicorn", "asgi", "uvicorn", "uvloop, httptools, no access log", uvicorn, HUP),
        Peer("granian wsgi", "wsgi", "granian", "HTTP/1 only, 4 threads, failed workers are replaced", granian("wsgi"), HUP, 6.0),
        Peer("granian asgi", "asgi", "granian", "uvloop, failed workers are replaced", granian("asgi"), HUP, 6.0),
        Peer("uwsgi", "wsgi", "uwsgi", "4 threads, http11-socket (a thread for a connection), no log; behind nginx its own protocol", uwsgi, HUP),
        Peer("hypercorn", "asgi", "hypercorn", "uvloop", hypercorn),
        Peer("waitress", "wsgi", "waitress", "has one process; the threads of both workers", waitress),
        Peer("bjoern", "wsgi", "bjoern", "listens, then forks; no supervisor", bjoern),
        Peer("nginx", "static", "nginx", "no access log, 1,000,000 requests for a connection, open_file_cache", nginx, HUP),
    )
}
