"""The first of our code in a new mold: makes the package importable from memory, and starts it.

The master starts `python -c COMMAND --channel 3 --sources 5 [--compiled 6]` (python/embed.go), and
COMMAND executes this file, which is in descriptor 4. In 5 are the sources of the package, a marshal
value. In 6, if the master has it, is what a mold before has compiled of them, so that this one need not:
that is half of the time from its start to its first worker.

Compiled code is used by the very interpreter that has made it and by no other; everything that
could make a difference is in the line before it. Whether it can be trusted is the master's business.
"""

from __future__ import annotations

import _frozen_importlib as machinery  # importlib proper would cost a millisecond here
import gc
import marshal
import os
import sys
from types import CodeType, ModuleType

PACKAGE = "indrik"
PLACE = "<indrik>"  # stands for a directory in tracebacks


class Shelf:
    """Finder and loader of the package's modules, whose sources it holds. It is the
    `__loader__` of each of them, from which tracebacks take their lines."""

    def __init__(self, sources: bytes, compiled: bytes) -> None:
        digest, self._sources = marshal.loads(sources)
        self._identity = _identity(digest)
        end = len(self._identity)
        fits = compiled[: end + 1] == self._identity + b"\n"
        # A view, because half a megabyte need not be copied once more.
        self._code: dict[str, bytes] = marshal.loads(memoryview(compiled)[end + 1 :]) if fits else {}
        self._fresh = not self._code

    def find_spec(self, name: str, path: object = None, target: object = None) -> machinery.ModuleSpec | None:
        if name not in self._sources:
            return None
        spec = machinery.ModuleSpec(name, self, origin=self._path(name))  # type: ignore[arg-type]
        if name == PACKAGE:
            spec.submodule_search_locations = []
        return spec

    def create_module(self, spec: machinery.ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self._path(module.__name__)
        exec(self.get_code(module.__name__), module.__dict__)

    def get_code(self, name: str) -> CodeType:
        if name in self._code:
            return marshal.loads(self._code[name])  # type: ignore[no-any-return]
        code = compile(self._sources[name], self._path(name), "exec", dont_inherit=True)
        self._code[name] = marshal.dumps(code)
        return code

    def get_source(self, name: str) -> str:
        """Asked by linecache, through the globals of a module."""
        return str(self._sources[name].decode())

    def compiled(self) -> bytes:
        """What another interpreter like this one may be given as compiled; empty if this
        one was given it."""
        if not self._fresh:
            return b""
        self._fresh = False
        for name in self._sources.keys() - self._code.keys():
            self.get_code(name)
        return self._identity + b"\n" + marshal.dumps(self._code)

    @staticmethod
    def _path(name: str) -> str:
        return f"{PLACE}/{'__init__' if name == PACKAGE else name.partition('.')[2]}.py"


def _identity(digest: str) -> bytes:
    """What sources and interpreter have in common with those whose code fits. Python's version names
    the day on which it was built; its magic number is that of its byte code."""
    magic = getattr(sys.modules.get("_frozen_importlib_external"), "MAGIC_NUMBER", b"").hex()
    version = sys.version.replace("\n", " ")
    return f"{digest} {sys.implementation.name} {magic} {sys.flags.optimize} {version}".encode()


def _take(option: str) -> bytes:
    """The memory whose descriptor is the option's argument, which is closed; empty without the option."""
    if option not in sys.argv:
        return b""
    at = sys.argv.index(option)
    fd = int(sys.argv[at + 1])
    del sys.argv[at : at + 2]
    data = os.pread(fd, os.fstat(fd).st_size, 0)  # without moving a position that other molds share
    os.close(fd)
    return data


def _boot() -> int:
    """Be the mold, and the workers that it forks. Returns the exit status."""
    os.close(4)
    if sys.path[:1] == [""]:
        del sys.path[0]  # the working directory, put there for -c
    shelf = Shelf(_take("--sources"), _take("--compiled"))
    sys.meta_path.insert(0, shelf)
    # multiprocessing starts processes with what it finds out about this module, and would
    # execute a file again; of one with this name it does not.
    main = sys.modules["__main__"]
    main.__spec__ = machinery.ModuleSpec("__main__", None)
    main.__file__ = f"{PLACE}/boot.py"
    # Nothing that imports leave behind is garbage, and looking for some takes milliseconds.
    gc.disable()
    from indrik.__main__ import main as run

    # And it would, with the first thing that is allocated, if they were not put away (mold.py tidies up later).
    if hasattr(gc, "freeze"):
        gc.freeze()
    gc.enable()
    return run()


if __name__ == "__main__":
    sys.exit(_boot())
