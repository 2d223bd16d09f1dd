"""Find the application that MODULE[:EXPRESSION] names. Runs in the worker, after
the fork.

Gunicorn's rules, and dotted attributes: `module` (its `application`),
`module:name`, `module:object.attribute`, `module:factory("literal", key=1)`.
The expression is parsed, never evaluated: only names and literals mean anything.
"""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Mapping
from types import FunctionType, MappingProxyType
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from . import trouble
from .status import Status

if TYPE_CHECKING:
    import ast

Application = Callable[..., Any]

_DEFAULT = "application"
_VARARGS, _COROUTINE = 0x04, 0x80  # of co_flags: inspect.CO_VARARGS, inspect.CO_COROUTINE
_ASGI_2 = (
    "the application takes one argument, the scope: that is ASGI 2, and Indrik serves ASGI 3 "
    "(asgiref.compatibility.guarantee_single_callable converts it) and WSGI"
)


class SpecError(Exception):
    """The text does not name an application, or what it names is none."""


class Spec(NamedTuple):
    """Where the application is: a path of attributes in a module, and, if a
    factory makes it, the call."""

    module: str
    path: tuple[str, ...] = (_DEFAULT,)
    call: bool = False
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = MappingProxyType({})


def parse(text: str) -> Spec:
    """Read MODULE[:EXPRESSION]; SpecError says what is wrong with it."""
    module, colon, expression = text.partition(":")
    if not all(part.isidentifier() for part in module.split(".")):
        raise SpecError(f"no module can be called {module!r}{_file_hint(module)}")
    if module.endswith(".py"):
        raise SpecError(f"{module!r} is the name of a file, not of a module{_file_hint(module)}")
    if not colon or expression.isidentifier():  # which is told without a parser, as in most cases
        return Spec(module, (expression,) if colon else (_DEFAULT,))
    import ast

    try:
        node = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:  # ValueError: a NUL, before 3.12
        raise SpecError(f"{expression!r} is not an attribute or a call of one") from error
    if not isinstance(node, ast.Call):
        return Spec(module, _path(node, expression))
    args, kwargs = _arguments(node, expression)
    return Spec(module, _path(node.func, expression), True, args, kwargs)


class Failure(Exception):
    """A worker cannot boot: what the master is told, and the status that follows."""

    def __init__(self, stage: str, text: str, status: Status) -> None:
        super().__init__(text)
        self.stage, self.text, self.status = stage, text, status


def attempt(text: str) -> Application:
    """load(), with every way in which it can fail as a Failure."""
    try:
        return load(text)
    except SpecError as error:
        raise Failure("load", str(error), Status.CANNOT_LOAD) from error
    except (ImportError, SyntaxError) as error:
        raise Failure("load", trouble.describe(error), Status.CANNOT_LOAD) from error
    except (Exception, SystemExit) as error:  # the application's; becomes status 3
        raise Failure("boot", trouble.describe(error), Status.BOOT_FAILED) from error


class Undisturbed:
    """A context in which the collector comes a seventieth as often. Nearly all that an import allocates
    stays, so that to look for garbage in it is in vain, and takes a twentieth of the time of a
    large application. What the application itself says of the collector meanwhile remains as it says."""

    _OFTEN = 50_000  # allocations more than frees between two looks: some MB of garbage at most

    def __enter__(self) -> None:
        self._usual = gc.get_threshold() if hasattr(gc, "get_threshold") else (0,)  # PyPy has none
        if 0 < self._usual[0] < self._OFTEN:
            gc.set_threshold(self._OFTEN, *self._usual[1:])

    def __exit__(self, *failure: object) -> None:
        if self._usual[0] and gc.get_threshold() == (self._OFTEN, *self._usual[1:]):
            gc.set_threshold(*self._usual)


def load(text: str) -> Application:
    """Import what text names and return it.

    SpecError if there is no such thing or it cannot be called; whatever the
    application's own code raises comes through as it is.
    """
    spec = parse(text)
    __import__(spec.module)  # unlike importlib's, its frames are left out of tracebacks
    found = sys.modules[spec.module]
    seen = spec.module
    for name in spec.path:
        found = _attribute(found, name, seen)
        seen = f"{seen}:{name}" if seen == spec.module else f"{seen}.{name}"
    if spec.call:
        if not callable(found):
            raise SpecError(f"{seen} is to be called for the application, but it is {_kind(found)}")
        found = found(*spec.args, **spec.kwargs)
        seen += "()"
    if not callable(found):
        raise SpecError(f"{seen} is not an application: it is {_kind(found)}, which cannot be called")
    return found


def extend_path(pythonpath: list[str]) -> None:
    """Put the working directory first on sys.path and then, before it, each entry
    of the setting, so that the last one is found first: as Gunicorn does."""
    for path in [os.getcwd(), *pythonpath]:
        path = os.path.abspath(path)
        if path not in sys.path:
            sys.path.insert(0, path)


def interface(app: Application) -> str:
    """Which convention app speaks: "wsgi" (PEP 3333) or "asgi" (ASGI 3).

    Decided by what can be seen without a call: a coroutine function, an object whose
    __call__ is one, a class whose instances are awaited, or any callable that must be
    given three arguments, is ASGI. What cannot be told is taken for WSGI; the setting
    `interface` is for those cases. SpecError for ASGI 2, which nobody serves any more.
    """
    if type(app) is FunctionType and not vars(app):
        return _of_function(app)
    import inspect  # which most applications that are objects have imported themselves

    while isinstance(app, functools.partial):
        if app.args or app.keywords:
            break  # its signature says what is left to give
        app = app.func
    if inspect.isclass(app):
        if hasattr(app, "__await__"):
            return "asgi"
        if inspect.iscoroutinefunction(app.__call__):
            raise SpecError(_ASGI_2)
    else:
        whole: Any = app.func if isinstance(app, functools.partial) else app
        if inspect.iscoroutinefunction(whole) or inspect.iscoroutinefunction(whole.__call__):
            return "asgi"
    return _by_arguments(_must_be_given(app))


def _of_function(app: FunctionType) -> str:
    """interface for a plain function that no decorator has left a mark on: the same,
    without the milliseconds that the import of inspect takes."""
    code = app.__code__
    if code.co_flags & _COROUTINE:
        return "asgi"
    if code.co_flags & _VARARGS:
        return _by_arguments(None)
    return _by_arguments(code.co_argcount - len(app.__defaults__ or ()))


def _by_arguments(wanted: int | None) -> str:
    if wanted == 1:
        raise SpecError(_ASGI_2)
    return "asgi" if wanted == 3 else "wsgi"


def _must_be_given(app: Application) -> int | None:
    """How many positional arguments a call of app needs; None if it does not say, or
    takes any number."""
    import inspect

    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):  # written in C
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in positional and p.default is p.empty for p in parameters)


def _attribute(holder: Any, name: str, seen: str) -> Any:
    try:
        return getattr(holder, name)
    except AttributeError as error:
        # Only the absence of this very name is the user's spelling; an error from
        # inside a property or a module's __getattr__ is the application's own.
        if getattr(error, "name", name) not in (name, None):
            raise
        raise SpecError(f"{seen} has no attribute {name!r}") from None


def _path(node: ast.expr, expression: str) -> tuple[str, ...]:
    import ast

    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        raise SpecError(f"{expression!r} is not an attribute or a call of one")
    names.append(node.id)
    return tuple(reversed(names))


def _arguments(node: ast.Call, expression: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    import ast

    try:
        args = tuple(ast.literal_eval(arg) for arg in node.args)
        kwargs = {_keyword(word): ast.literal_eval(word.value) for word in node.keywords}
    except ValueError as error:
        raise SpecError(f"{expression!r} has an argument that is not a literal") from error
    return args, kwargs


def _keyword(word: ast.keyword) -> str:
    if word.arg is None:  # **mapping
        raise ValueError("not a name")
    return word.arg


def _file_hint(module: str) -> str:
    name: str | None = module[:-3].strip("./").replace("/", ".") if module.endswith(".py") else None
    return f" (did you mean {name!r}?)" if name else ""


def _kind(value: Any) -> str:
    return "None" if value is None else f"of type {type(value).__name__!r}"
