"""gunicorn.conf.py: run it, and sort what it leaves behind. Runs in the mold,
before anything else of the user's.

What a setting means is not known here: values go to the master as text, where they
are judged together with what all other sources say. Only what cannot leave this
process stays: functions and other objects.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import os
import sys
import types
from typing import Any, Callable, NamedTuple

Hook = Callable[..., Any]

# The hooks of Gunicorn and the numbers of arguments that they may take.
HOOKS: dict[str, tuple[int, ...]] = {
    "on_starting": (1,),
    "on_reload": (1,),
    "when_ready": (1,),
    "pre_fork": (2,),
    "post_fork": (2,),
    "post_worker_init": (1,),
    "worker_int": (1,),
    "worker_abort": (1,),
    "pre_exec": (1,),
    "pre_request": (2,),
    "post_request": (2, 3, 4),
    "child_exit": (2,),
    "worker_exit": (2,),
    "nworkers_changed": (3,),
    "on_exit": (1,),
    "ssl_context": (2,),
    "on_dirty_starting": (1,),
    "dirty_post_fork": (2,),
    "dirty_worker_init": (1,),
    "dirty_worker_exit": (2,),
}

# Settings whose values are objects that only Python can use.
OBJECTS = ("logconfig_dict", "logger_class")

_MODULE = "__config__"  # the name that Gunicorn runs the file under


class ConfigError(Exception):
    """The configuration cannot be used; the text says which, where and why."""


class Config(NamedTuple):
    """What a configuration file says."""

    origin: str  # as it was named, for messages
    settings: dict[str, list[str]]
    hooks: dict[str, Hook]
    objects: dict[str, Any]
    # Names of plain values that are no setting: perhaps one that was misspelt.
    unknown: list[str]


def read(spec: str, known: frozenset[str]) -> Config:
    """Run the file, or import the module of `python:MODULE`. known is the names of
    all settings. ConfigError for a value that no setting can have; whatever the file
    itself raises comes through as it is, SystemExit too."""
    names = _names(spec)
    settings: dict[str, list[str]] = {}
    hooks: dict[str, Hook] = {}
    objects: dict[str, Any] = {}
    unknown: list[str] = []
    for name, value in names.items():
        if name in HOOKS:
            if value is not None:
                hooks[name] = _hook(name, value)
        elif name in OBJECTS and not isinstance(value, str):
            if value is not None:
                objects[name] = value
        elif name in known:
            if value is not None:  # as if it were not there
                settings[name] = _texts(name, value)
        elif _plain(name, value):
            unknown.append(name)
    return Config(spec, settings, hooks, objects, unknown)


def _names(spec: str) -> dict[str, Any]:
    if spec.startswith("python:"):
        return dict(vars(importlib.import_module(spec[len("python:") :])))
    if not os.path.exists(spec):
        raise ConfigError(f"there is no file {spec!r}")
    # Here, because few have a file and it takes milliseconds.
    from importlib.util import module_from_spec, spec_from_file_location

    # The loader is chosen here, because importlib chooses it by the file's ending.
    loader = importlib.machinery.SourceFileLoader(_MODULE, spec)
    module_spec = spec_from_file_location(_MODULE, spec, loader=loader)
    if module_spec is None:
        raise ConfigError(f"{spec!r} cannot be run as Python")
    module = module_from_spec(module_spec)
    sys.modules[_MODULE] = module
    # A cached compilation beside the file would be written with our privileges,
    # and is keyed by the second: an edit just after a reload would be missed.
    exec(compile(loader.get_data(spec), spec, "exec", dont_inherit=True), module.__dict__)
    return dict(vars(module))


def _hook(name: str, value: Any) -> Hook:
    if isinstance(value, str):
        value = _imported(name, value)
    if not callable(value):
        raise ConfigError(f"{name} must be a function, not {value!r}")
    takes = arity(value)
    if takes is not None and takes not in HOOKS[name]:
        wanted = " or ".join(str(count) for count in HOOKS[name])
        raise ConfigError(f"{name} must take {wanted} arguments, not {takes}")
    hook: Hook = value
    return hook


def arity(function: Hook) -> int | None:
    """The number of positional arguments, None if it cannot be told or is open."""
    import inspect  # here, because few have hooks and it takes milliseconds

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    count = 0
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            return None
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            count += 1
    return count


def _imported(name: str, path: str) -> Any:
    module, dot, attribute = path.rpartition(".")
    if not dot:
        raise ConfigError(f"{name} must be a function or the dotted name of one, not {path!r}")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{name}: {path!r} cannot be imported: {error}") from error


def _texts(name: str, value: Any) -> list[str]:
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_text(name, item) for item in value]
    if isinstance(value, dict):
        return [f"{key}={_text(name, item)}" for key, item in value.items()]
    return [_text(name, value)]


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))  # members of ssl's enumerations too, which print as names
    if isinstance(value, (float, str)):
        return str(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(os.fspath(value))
    if isinstance(value, type):  # worker_class may be the class itself
        return f"{value.__module__}.{value.__qualname__}"
    raise ConfigError(f"{name} cannot be {value!r}")


def _plain(name: str, value: Any) -> bool:
    """Whether a name may be meant for a setting: not what a file imports or defines
    for itself."""
    if name.startswith("_") or isinstance(value, (types.ModuleType, type)):
        return False
    return not callable(value)
