"""Start the service from Python: `python -m indrik app:app`, `indrik.run(app)` and a
stand-in for Gunicorn's BaseApplication. Runs in the user's own process, which the
indrik binary then replaces; nothing here runs in the mold or in workers.
"""

from __future__ import annotations

import os
import shutil
import sys
from types import ModuleType
from typing import Any, Callable, NoReturn, Union

Application = Union[str, Callable[..., Any]]


class LaunchError(Exception):
    """The service cannot be started from here; the text says why and what to do."""


def main(arguments: list[str]) -> int:
    """Become `indrik ARGUMENTS`, with this interpreter for the application. Returns
    only if that fails."""
    try:
        _become(arguments)
    except LaunchError as error:
        print(f"indrik: {error}", file=sys.stderr)
        return 1


def run(app: Application, **settings: Any) -> NoReturn:
    """Serve app, "module:name" or an object that can be imported by its name, with
    these settings. The process becomes the service: this does not return.

    LaunchError if app or a value cannot be handed over; a setting that is refused ends
    the process with status 1 and says which.
    """
    arguments = [] if not settings else ["--config", f"toml:/proc/self/fd/{_file(_toml(settings))}"]
    if isinstance(app, str):
        _become([*arguments, app])
    name, directory = _reference(app)
    _become([*arguments, *(["--pythonpath", directory] if directory else []), name])


class BaseApplication:
    """What subclasses of gunicorn.app.base.BaseApplication need: override load_config,
    which sets self.cfg, and load, which returns the application; then call run().

    The application is loaded by the workers, so what load() returns must be importable
    by its name. Hooks need a gunicorn.conf.py.
    """

    def __init__(self, usage: str | None = None, prog: str | None = None) -> None:
        self.usage, self.prog = usage, prog
        self.cfg = Config()
        self.load_config()

    def load_config(self) -> None:
        """Set self.cfg; nothing by default."""

    def load(self) -> Application:
        raise NotImplementedError("load() must return the application")

    def run(self) -> NoReturn:
        run(self.load(), **self.cfg.values)


class Config:
    """self.cfg of an application: settings by name. Which names there are is known to the
    binary, which refuses others with the nearest one."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    @property
    def settings(self) -> AnyName:
        """For `name in self.cfg.settings`, which is always so."""
        return AnyName(self.values)

    def set(self, name: str, value: Any) -> None:
        self.values[name] = value


class AnyName(dict[str, Any]):
    """A dict that claims to know every name."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)


def find() -> str:
    """The path of the binary: INDRIK_BINARY, beside the interpreter, or in PATH."""
    named = os.environ.get("INDRIK_BINARY")
    if named:
        if not os.access(named, os.X_OK):
            raise LaunchError(f"INDRIK_BINARY is {named!r}, which cannot be executed")
        return named
    beside = os.path.join(os.path.dirname(os.path.abspath(sys.executable)), "indrik")
    found = beside if os.access(beside, os.X_OK) else shutil.which("indrik")
    if found is None:
        raise LaunchError(
            f"the indrik binary is neither beside {sys.executable} nor in PATH; install it, or name it by INDRIK_BINARY"
        )
    return found


def _become(arguments: list[str]) -> NoReturn:
    binary = find()
    os.environ.setdefault("INDRIK_PYTHON", sys.executable)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(binary, ["indrik", *arguments])
    except OSError as error:
        raise LaunchError(f"{binary!r} cannot be executed: {error}") from error


def _reference(app: Callable[..., Any]) -> tuple[str, str]:
    """ "module:name" of an object, and the directory to find the module in if that is
    not known otherwise. LaunchError if the workers could not import the same."""
    for module in _homes(app):
        bound = [name for name, value in vars(module).items() if value is app]
        for path in [str(getattr(app, "__qualname__", "")), *bound]:
            if path and _walk(module, path) is app:
                name, directory = _module(module)
                return f"{name}:{path}", directory
    raise LaunchError(
        f"{app!r} cannot be imported by a name, so workers could not find it; bind it to a name at the top of a "
        'module, or give "module:name", or "module:factory()" for one that a function makes'
    )


def _homes(app: Callable[..., Any]) -> list[ModuleType]:
    """The modules to look for app in: its own, then the main one."""
    names = [str(getattr(app, "__module__", "")), "__main__"]
    return [sys.modules[name] for name in names if name in sys.modules]


def _walk(module: ModuleType, path: str) -> Any:
    found: Any = module
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


def _module(module: ModuleType) -> tuple[str, str]:
    """The name under which workers import a module, and the directory if it is the main
    one, whose file they import again under its own name."""
    if module.__name__ != "__main__":
        return module.__name__, ""
    if module.__spec__ is not None:  # python -m
        return module.__spec__.name, ""
    file = getattr(module, "__file__", None)
    if file is None:
        raise LaunchError("the application is defined in an interactive session; put it into a file")
    directory, base = os.path.split(os.path.abspath(file))
    return os.path.splitext(base)[0], directory


def _file(text: str) -> int:
    """A descriptor of a file without a name that outlives the exec. It is the
    service's configuration file, also when that is read again."""
    fd = os.memfd_create("indrik.toml", 0)
    os.write(fd, text.encode())
    return fd


def _toml(settings: dict[str, Any]) -> str:
    lines = [f"{name} = {_value(name, value)}\n" for name, value in settings.items() if value is not None]
    return "".join(lines)


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value if isinstance(value, float) else int(value))
    if isinstance(value, (str, os.PathLike)):
        return _quoted(os.fspath(value) if not isinstance(value, str) else value)
    if isinstance(value, dict):
        value = [f"{key}={item}" for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(name, item) for item in value) + "]"
    if callable(value):
        raise LaunchError(f"{name} is a function, which cannot be handed over; put it into a gunicorn.conf.py")
    raise LaunchError(f"{name} cannot be {value!r}")


def _quoted(text: Any) -> str:
    escaped = (f"\\u{ord(c):04X}" if c < " " or c in '"\\\x7f' else c for c in str(text))
    return '"' + "".join(escaped) + '"'
