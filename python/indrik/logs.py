"""server.log and worker.log: what hooks log with, and what tells of failed requests.
Used by mold and worker.

The lines go where those of the master go, to standard error or to errorlog, in the form
that Gunicorn's have; under the journal without a time, and with a priority instead.
"""

from __future__ import annotations

import importlib
import logging
import os
import socket
import sys
from collections.abc import Iterable
from typing import Any

from . import load, logfiles, privileges, trouble
from .lognumbers import Numbers
from .status import Status

_FORMAT = "[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s"
_DATE = "%Y-%m-%d %H:%M:%S %z"
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}

# Names of Gunicorn's own classes, for which ours stands.
_OURS = ("simple", "gunicorn.glogging.Logger", "gunicorn.instrument.statsd.Statsd")
# How a file of logging's can be wrong.
_UNUSABLE = (
    OSError,
    AttributeError,
    ImportError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
_NEEDED = ("debug", "info", "warning", "error", "critical", "exception", "log")


class LogError(Exception):
    """Logs cannot be set up as the settings say; the text says which, and why."""


class JournalFormatter(logging.Formatter):
    """Lines with the prefix of sd-daemon(3)."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


class StreamFormatter(logging.Formatter):
    """A message of syslog over a stream: a line. Line feeds in it are written as rsyslog does."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\n", "#012") + "\n"


class Logger:
    """What Gunicorn calls its logger: the usual methods, and error_log behind them.

    A subclass may be given as logger_class. It is made once, in the mold, and after each
    fork of a worker it is that worker's.
    """

    def __init__(self, cfg: Any) -> None:
        self.cfg = cfg
        self.error_log = logging.getLogger("gunicorn.error")
        self.access_log = logging.getLogger("gunicorn.access")
        self.captured: str | None = None  # path of the file that output goes to
        self.setup(cfg)

    def setup(self, cfg: Any) -> None:
        """Add handlers as the settings say. LogError if that cannot be done."""
        self.error_log.propagate = self.access_log.propagate = False
        self.loglevel = getattr(logging, str(getattr(cfg, "loglevel", None) or "info").upper(), logging.INFO)
        self.error_log.setLevel(self.loglevel)
        errorlog = getattr(cfg, "errorlog", None) or "-"
        try:
            if getattr(cfg, "capture_output", False) and errorlog != "-":
                self.captured = os.path.abspath(errorlog)
                logfiles.capture(self.captured)
            if not self.error_log.handlers:
                self.error_log.addHandler(_handler(errorlog))
                if getattr(cfg, "syslog", False):
                    self.error_log.addHandler(_syslog(cfg))
        except OSError as error:
            raise LogError(f"errorlog: {error}") from error
        if getattr(cfg, "statsd_host", None):
            numbers = Numbers(cfg.statsd_host, cfg.statsd_prefix or "", cfg.dogstatsd_tags or "")
            self.error_log.addFilter(numbers)
        configure(cfg)

    def debug(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self.error_log.debug(msg, *args, **kwargs)

    def info(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self.error_log.info(msg, *args, **kwargs)

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self.error_log.warning(msg, *args, **kwargs)

    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self.error_log.error(msg, *args, **kwargs)

    def critical(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self.error_log.critical(msg, *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self.error_log.exception(msg, *args, **kwargs)

    def log(self, lvl: int, msg: Any, *args: Any, **kwargs: Any) -> None:
        self.error_log.log(lvl, msg, *args, **kwargs)

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Never called: the gateway writes the access log."""

    def now(self) -> str:
        """The time as in the access log."""
        from datetime import datetime  # here, because it takes a millisecond and nobody may ask

        return datetime.now().astimezone().strftime("[%d/%b/%Y:%H:%M:%S %z]")

    def reopen_files(self) -> None:
        """Open log files anew, because their names may stand for others."""
        logfiles.reopen(self.captured)

    def close_on_exec(self) -> None:
        """Nothing to do: Python's descriptors are not inherited (PEP 446)."""


class Errors(trouble.Errors):
    """wsgi.errors: text goes to where the error log goes, as it is.

    That is the streams of the logger's handlers; standard error if none has one, as
    where all of them send messages elsewhere."""

    def __init__(self, log: Any) -> None:
        super().__init__()
        self._log = log

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for stream in self._streams():
            stream.write(text)
        return len(text)

    def flush(self) -> None:
        for stream in self._streams():
            stream.flush()

    def report(self, text: str) -> None:
        """What went wrong, as a line of the log with all that follows."""
        self._log.error("%s", text.rstrip("\n"))

    def _streams(self) -> list[Any]:
        logger = getattr(self._log, "error_log", None) or logging.getLogger("gunicorn.error")
        streams = [getattr(handler, "stream", None) for handler in logger.handlers]
        return [stream for stream in streams if stream is not None] or [sys.stderr] * (sys.stderr is not None)


class _View:
    """The settings as a class of Gunicorn's wants them: user and group are numbers, the
    access log is not its business, and there is a name."""

    def __init__(self, cfg: Any, **other: Any) -> None:
        self._cfg = cfg
        self.__dict__.update(other)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cfg, name)


def boot(cfg: Any, objects: dict[str, Any], identity: privileges.Identity, app: str) -> Any:
    """The logger of the mold and its workers. objects are what the configuration file gives
    for settings that are no text. load.Failure if there can be none."""
    chosen = objects.get("logger_class", getattr(cfg, "logger_class", "simple"))
    cfg.settings.update(logger_class=chosen, logconfig_dict=objects.get("logconfig_dict", {}))
    uid = os.geteuid() if identity.uid is None else identity.uid
    gid = os.getegid() if identity.gid is None else identity.gid
    try:
        return make(cfg, chosen, uid, gid, app)
    except LogError as error:
        raise load.Failure("boot", str(error), Status.BOOT_FAILED) from error


def make(cfg: Any, chosen: Any, uid: int, gid: int, app: str) -> Any:
    """The logger of the class that was chosen: a class, or its name. LogError if there
    is none of that name, or it is none."""
    view = _View(cfg, user=uid, group=gid, accesslog=None, proc_name=getattr(cfg, "proc_name", None) or app)
    kind = _named(chosen) if isinstance(chosen, str) else chosen
    if kind is None:
        return Logger(view)
    missing = [name for name in _NEEDED if not callable(getattr(kind, name, None))]
    if missing or not callable(kind):
        raise LogError(
            f"logger_class: {kind!r} has no {', '.join(missing) or 'call'}; it must be like gunicorn.glogging.Logger"
        )
    try:
        return kind(view)
    except (AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise LogError(f"logger_class: {kind!r} cannot be made: {trouble.describe(error)}") from error


def _named(name: str) -> Any:
    """The class of that name; None for ours."""
    if name in _OURS:
        return None
    module, dot, attribute = name.replace(":", ".").rpartition(".")
    try:
        if dot:
            return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise LogError(f"logger_class: {name!r} cannot be imported: {error}") from error
    raise LogError(f"logger_class: {name!r} is not the dotted name of a class, module.Class")


def configure(cfg: Any) -> None:
    """Set Python's logging up as logconfig_dict says, else logconfig_json, else
    logconfig. LogError if it is not as the logging module wants it."""
    described = getattr(cfg, "logconfig_dict", None)
    path = getattr(cfg, "logconfig_json", None)
    if not described and not path and not getattr(cfg, "logconfig", None):
        return
    # Here, because few have such a thing and these take milliseconds.
    import configparser
    import json
    import logging.config

    name = "logconfig_dict"
    try:
        if not described and path:
            name = f"logconfig_json {path!r}"
            with open(path, encoding="utf-8") as file:
                described = json.load(file)
        if described:
            logging.config.dictConfig({**_defaults(described.get("handlers")), **described})
            return
        path = getattr(cfg, "logconfig", None)
        if path:
            name = f"logconfig {path!r}"
            with open(path, encoding="utf-8") as file:
                places = {"__file__": path, "here": os.path.dirname(path)}
                logging.config.fileConfig(file, defaults=places, disable_existing_loggers=False)
    except (*_UNUSABLE, configparser.Error) as error:
        why = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
        raise LogError(f"{name} cannot be used: {why}") from error


def _defaults(handlers: Any) -> dict[str, Any]:
    """What a logconfig_dict or logconfig_json need not say: as in Gunicorn, its parts
    take the place of these. handlers is its own part of that name, or None; where it
    has no handler of a name that we use, records go to that of the root."""
    streams = {"console": "ext://sys.stdout", "error_console": "ext://sys.stderr"}
    known = streams if handlers is None else handlers
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"generic": {"format": _FORMAT, "datefmt": _DATE, "class": "logging.Formatter"}},
        "handlers": {
            name: {"class": "logging.StreamHandler", "formatter": "generic", "stream": stream}
            for name, stream in streams.items()
        },
        "root": {"level": "INFO", "handlers": [name for name in ("console",) if name in known]},
        "loggers": {
            f"gunicorn.{name}": {"level": "INFO", "handlers": [handler] if handler in known else [], "propagate": True}
            for name, handler in (("error", "error_console"), ("access", "console"))
        },
    }


def _handler(errorlog: str) -> logging.Handler:
    handler: logging.Handler
    if errorlog != "-":
        handler = logfiles.LogFile(errorlog)
    elif under_journal(sys.stderr):
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JournalFormatter("%(message)s"))
        return handler
    else:
        handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_FORMAT, _DATE))
    return handler


def _syslog(cfg: Any) -> logging.Handler:
    """The handler that syslog wants. What it cannot send is said on standard error by
    the logging module."""
    prefix = cfg.syslog_prefix or str(cfg.proc_name).replace(":", ".")
    import logging.handlers  # here, because few have it and it takes milliseconds

    last: OSError | None = None
    for address, kind in _places(cfg.syslog_addr):
        try:
            handler = logging.handlers.SysLogHandler(address, cfg.syslog_facility, kind)
        except OSError as error:
            last = error
            continue
        form = StreamFormatter if kind == socket.SOCK_STREAM else logging.Formatter
        handler.setFormatter(form(f"gunicorn.{prefix}.error: [%(process)d] %(message)s"))
        handler.append_nul = False
        return handler
    raise LogError(f"syslog_addr {cfg.syslog_addr!r}: {last}")


def _places(text: str) -> Iterable[tuple[Any, socket.SocketKind]]:
    """What an address that the master has accepted stands for, in the order in which it is tried."""
    scheme, _, rest = text.partition("://")
    if scheme == "unix":
        path, _, kind = rest.partition("#")
        kinds = {"dgram": socket.SOCK_DGRAM, "stream": socket.SOCK_STREAM}
        return [(path, kinds[kind])] if kind else [(path, each) for each in kinds.values()]
    host, _, port = rest.rpartition(":") if not rest.endswith("]") and ":" in rest else (rest, "", "514")
    return [((host.strip("[]"), int(port)), socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM)]


def under_journal(stream: Any) -> bool:
    """Whether the journal reads what is written to stream (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        info = os.fstat(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{info.st_dev}:{info.st_ino}"
