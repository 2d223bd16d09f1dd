"""The mold: holds interpreter, worker code and configuration, and forks workers on
the master's order.

It is one thread in one loop over its channel, and runs no code of the application unless
it is to load it (preload_app).
docs/protocol.md, "Channel: master and mold", is what it speaks.
"""

from __future__ import annotations

import errno
import gc
import importlib
import os
import socket
import struct
import sys
from types import ModuleType
from typing import Any, NamedTuple

from . import afterfork, config, greenlets, hooks, late, load, logfiles, logs, paste, privileges, trouble
from .app import Application
from .reply import Outlet
from .status import Status
from .wire import Channel, PeerGone, Scoreboard, WireError, close_all
from .worker import Post

Fact = tuple[Any, ...]  # a message for the master, its name first

_CLASSES = ("auto", "sync", "gthread", "gevent", "eventlet", "asgi")

# CPython's own, also after gevent or eventlet has put others in their places: the mold has
# no hub, and must not wait in one.
_fork, _waitpid, _write = os.fork, os.waitpid, os.write

# Options that are lengths of time.
_TIMES = ("graceful_timeout", "disconnect_grace", "beat", "slow_request", "request_timeout", "request_timeout_grace")

# After so long without an order the mold has forked what was wanted at once.
_CALM = 1.0  # seconds

_STAGES = {Status.CANNOT_LOAD: "load", Status.BOOT_FAILED: "boot"}  # of an application that is preloaded

_ANSWER = struct.Struct("q")  # what the pipe carries: a pid, or an errno below zero


class Cast(NamedTuple):
    """What every worker of this mold has in common."""

    app: str
    generation: int
    name: str
    loops: int
    scoreboard: Scoreboard
    lane: socket.socket
    options: dict[str, Any]
    setproctitle: ModuleType | None
    identity: privileges.Identity
    hub: greenlets.Hub | None  # these two if the mold has loaded the application
    preloaded: Application | None
    hooks: hooks.Hooks
    before: int | None  # the workers of the generation that this one follows


def run(channel: Channel) -> Post | Status:
    """Serve the master until it goes. Returns in two kinds of process: with a status
    in the mold, when its work is over, and with a post in each worker it forked.
    """
    afterfork.outlive_sigterm()
    try:
        cast = _configure(channel)
        if cast is None:
            return Status.DONE
        cast.hooks.begin(cast.before)
        channel.send("configured", sys.version.split()[0], sys.executable)
        behind = True  # something that workers share if it is imported here has been put off
        while True:
            if behind and not channel.wait(_CALM):
                behind = False
                late.ahead()
                _offer(channel)
                _tidy()
            order = channel.receive()
            if order is None:
                return Status.DONE
            message, fds = order
            try:
                outcome = _obey(cast, message, fds)
            finally:
                close_all(fds)
            if isinstance(outcome, Post):
                channel.close()
                return outcome
            if outcome is not None:
                channel.send(*outcome)
    except PeerGone:
        return Status.DONE
    except WireError as error:
        return _refuse(channel, str(error), Status.CRASHED)
    except hooks.HookError as error:
        return _refuse(channel, str(error), Status.BOOT_FAILED)
    except load.Failure as failure:
        return _refuse(channel, failure.text, failure.status)


def _configure(channel: Channel) -> Cast | None:
    """Take the first orders; None if the master went before them."""
    found = config.Config("", {}, {}, {}, [])
    while True:
        order = channel.receive()
        if order is None:
            return None
        message, fds = order
        if message[0] != "read":
            break
        close_all(fds)
        found = _read(message)
        said = {"settings": found.settings, "hooks": sorted(found.hooks), "unknown": found.unknown}
        if len(message) > 3:  # for people: which of it is not written in the file as it is
            said["objects"] = sorted(found.objects)
            said["computed"] = late.module("literals").computed(str(message[1]))
        channel.send("read", said)
    try:
        if message[0] == "check" and len(message) == 2:
            channel.send("checked", late.module("check").application(message[1], found))
            return None
        if message[0] != "configure" or len(message) != 2 or len(fds) != 2:
            raise WireError(f"the order {message[0]!r} with {len(fds)} descriptors instead of 'configure' with 2")
        return _cast(message[1], fds, found)
    except OSError as error:
        raise WireError(f"the mold cannot be set up: {error}") from error
    finally:
        close_all(fds)


def _read(message: tuple[Any, ...]) -> config.Config:
    """Run the configuration file. WireError with its traceback if it cannot be
    used: nothing can be done without it."""
    load.extend_path([])
    try:
        return config.read(str(message[1]), frozenset(message[2]))
    except config.ConfigError as error:
        raise WireError(str(error)) from error
    except (Exception, SystemExit) as error:
        raise WireError(trouble.describe(error)) from error


def _cast(settings: Any, fds: list[int], found: config.Config) -> Cast:
    """Make the mold what the settings say. Takes the lane out of fds."""
    try:
        if settings["worker_class"] not in _CLASSES:
            raise WireError(f"no worker class {settings['worker_class']!r}")
        options = dict(settings["options"])
        for name in _TIMES:
            options[name] /= 1000  # on the wire times are milliseconds
        app, name = str(settings["app"]), str(settings["name"])
        generation, loops = int(settings["generation"]), int(settings["loops"])
        before = settings.get("before")
        pythonpath = [str(path) for path in settings["pythonpath"]]
        cfg = hooks.Config(hooks.values(settings["settings"], settings["seconds"]), found.hooks)
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"settings that cannot be read: {error!r}") from error
    if settings.get("dir"):
        os.chdir(settings["dir"])  # a mold that ran a configuration file was started before this was known
    os.environ.update(cfg.env)  # a mold that ran a configuration file was started without it
    scoreboard = Scoreboard(fds[0])
    lane = _lane(fds.pop(1))
    load.extend_path(pythonpath)
    setproctitle = _setproctitle()
    afterfork.set_title(setproctitle, f"indrik: mold [{name or app}]", "indrik-mold")
    identity = privileges.resolve(options)
    greenlets.prepare(options["worker_class"])
    log = logs.boot(cfg, found.objects, identity, app)
    logfiles.hear_reopen(log)
    hub, preloaded = _preload(app, options, log) if options["preload_app"] else (None, None)
    called = hooks.Hooks(found.hooks, hooks.Server(cfg, log, app))
    if options["preload_app"] or "asgi" in (options["worker_class"], options["interface"]):
        late.ahead()
    if options["preload_app"]:
        _tidy()  # an application leaves more behind than we do, and its memory counts in every worker
    else:
        _freeze()
    basis = (app, generation, name, loops, scoreboard, lane, options, setproctitle, identity)
    return Cast(*basis, hub, preloaded, called, before)


def _freeze() -> None:
    """Everything here outlives all collections; out of the collector's sight its pages
    are not written to, and stay shared with the workers. PyPy's collector has no such
    thing, and moves what it keeps.

    What our imports have left behind is kept too, until _tidy: to look for it would take some
    milliseconds, and the first worker is waited for."""
    if hasattr(gc, "freeze"):
        gc.freeze()


def _tidy() -> None:
    """The same after a collection of all there is."""
    if hasattr(gc, "unfreeze"):
        gc.unfreeze()
    gc.collect()
    _freeze()


def _offer(channel: Channel) -> None:
    """Give the master what was compiled here, for the molds to come."""
    code = late.compiled()
    if not code or not hasattr(os, "memfd_create"):
        return
    try:
        with open(os.memfd_create("indrik-compiled"), "wb") as memory:  # close-on-exec
            memory.write(code)
            memory.flush()
            channel.send_with(memory.fileno(), "compiled", not sys.dont_write_bytecode)
    except OSError:
        pass  # no descriptors or no memory: the next one compiles too


def _lane(fd: int) -> socket.socket:
    """Take over the workers' end of the lane.

    Without its receive timeout an idle worker could not beat, and without its
    blocking mode it would spin, so neither is left to be found out in service.
    """
    lane = socket.socket(fileno=fd)
    timeout = lane.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)
    if not any(timeout) or not lane.getblocking() or not os.get_blocking(fd):
        lane.close()
        raise WireError("a lane that is not blocking with a receive timeout")
    return lane


def _preload(app: str, options: dict[str, Any], log: Any) -> tuple[greenlets.Hub | None, Application]:
    """Load the application before the first fork, patched as its workers need it."""
    hub = greenlets.hub(options["worker_class"])
    preloaded = paste.attempt(app, options)
    afterfork.adopt_signals()
    afterfork.outlive_sigterm()  # a mold must hear what it heard before, whatever the application set
    if names := _other_threads():
        log.warning(
            "%s started the threads %s while it was preloaded; a fork does not copy "
            "threads, so workers are without them: start them later, or do not preload",
            app,
            ", ".join(names),
        )
    return hub, preloaded


def _other_threads() -> list[str]:
    """The names of the threads that are not this one."""
    threading = sys.modules.get("threading")
    if threading is None:
        return []
    return [repr(thread.name) for thread in threading.enumerate() if thread is not threading.current_thread()]


def _setproctitle() -> ModuleType | None:
    """The package of that name, if the user has it."""
    try:
        return importlib.import_module("setproctitle")
    except ImportError:
        return None


def _obey(cast: Cast, message: tuple[Any, ...], fds: list[int]) -> Post | Fact | None:
    """Carry out an order. Returns the fact that answers it if one does, and in the
    worker a post: there fds is empty afterwards."""
    if message[0] == "spawn":
        return _spawn(cast, message, fds)
    if message == ("reopen",):
        logfiles.reopen_of(cast.hooks.server.log)()
    elif not cast.hooks.obey(message):
        raise WireError(f"an order {message!r}")
    return None


def _spawn(cast: Cast, message: tuple[Any, ...], fds: list[int]) -> Post | Fact:
    slot: Any
    own: Any
    slot, own = message[1:] if len(message) == 3 else (None, None)
    known = isinstance(slot, int) and 0 <= slot < cast.scoreboard.slots and isinstance(own, bool)
    if not known or len(fds) != 1 + own + cast.loops:
        text = f"no worker can be made of the order {message!r} with {len(fds)} descriptors"
        named = slot if isinstance(slot, int) else -1
        return "not forked", named, errno.EINVAL, trouble.clean(text)[:1000]
    try:
        worker = cast.hooks.expect()
        pid = _fork_twice()
    except hooks.HookError as error:
        return "not forked", slot, errno.EIO, trouble.clean(str(error))[:1000]
    except OSError as error:
        number = error.errno or errno.EIO
        return "not forked", slot, number, os.strerror(number)
    cast.hooks.forked(worker, pid or os.getpid())
    return ("forked", slot, pid) if pid else _enter(cast, slot, own, fds, worker)


def _fork_twice() -> int:
    """Fork a process that is not our child. Returns its pid, and in it 0; OSError if
    there is none.

    The process in the middle exits at once, so that the kernel gives the worker to
    the nearest subreaper above us, which is the master. By the time we have reaped
    the middle one that has happened.

    The worker itself says its pid, so that nothing depends on how far the middle one
    got: an empty pipe means that neither it nor a worker lives.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # or the worker would write what is in the buffer once more
    reader, writer = os.pipe()
    try:
        middle = _fork()
        if middle == 0:
            os.close(reader)
            _fork_again(writer)
            return 0
    except OSError:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    with open(reader, "rb") as answer:
        said = answer.read(_ANSWER.size)
    _waitpid(middle, 0)
    if len(said) < _ANSWER.size:
        raise OSError(errno.ECHILD, "the process in the middle died")
    (pid,) = _ANSWER.unpack(said)
    if pid < 0:
        raise OSError(-pid, os.strerror(-pid))
    return int(pid)


def _fork_again(writer: int) -> None:
    """The process in the middle. Returns in the worker only, whatever happens."""
    worker = False
    try:
        try:
            worker = _fork() == 0
        except OSError as error:
            _write(writer, _ANSWER.pack(-(error.errno or errno.EIO)))
        if worker:
            _write(writer, _ANSWER.pack(os.getpid()))
    finally:
        if not worker:
            os._exit(0)


def _enter(cast: Cast, slot: int, own: bool, fds: list[int], worker: hooks.Worker) -> Post:
    """Become the worker of a slot, after the fork. Takes over fds."""
    afterfork.hear_sigterm()
    rows = tuple(cast.scoreboard.seat(slot, seat) for seat in range(cast.scoreboard.seats))
    for row in rows:
        afterfork.enrol(row, cast.generation)
    title = f"indrik: worker {slot} [{cast.name or cast.app}]"
    afterfork.set_title(cast.setproctitle, title, f"indrik-w{slot}")
    os.environ["INDRIK_SLOT"] = str(slot)
    os.environ["INDRIK_GENERATION"] = str(cast.generation)
    report = Channel(fds.pop(0))
    lane = socket.socket(fileno=fds.pop(0)) if own else None
    replies = tuple(Outlet(fileno=fd) for fd in fds)
    for outlet in replies:
        outlet.setblocking(True)
        outlet.owner = os.getpid()
    fds.clear()
    if cast.preloaded is not None:
        afterfork.reset()
    if cast.hub is not None:
        cast.hub.renew()
    post = (cast.app, slot, cast.generation, cast.lane, report, replies, rows, lane, cast.options)
    return Post(*post, cast.identity, cast.hooks, worker, cast.preloaded, cast.hub)


def _refuse(channel: Channel, text: str, status: Status) -> Status:
    try:
        channel.send("failed", trouble.limited(text), _STAGES.get(status, ""))
    except PeerGone:
        pass  # then there is nobody to be told
    return status
