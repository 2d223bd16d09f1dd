"""Applications that PasteDeploy puts together (the setting paste). Runs where the
application is loaded: in the worker after the fork, or in the mold with preload_app.
"""

from __future__ import annotations

import importlib
import os
import re
from typing import Any

from . import load, trouble
from .load import Application, Failure
from .status import Status


def attempt(app: str, options: dict[str, Any]) -> Application:
    """The application to serve: that of the setting paste if there is one, else the one
    that app names. Every way in which this can fail is a Failure."""
    with load.Undisturbed():
        return _attempt(app, options)


def _attempt(app: str, options: dict[str, Any]) -> Application:
    if not options["paste"]:
        return load.attempt(app)
    try:
        return _load(str(options["paste"]), [str(text) for text in options["paste_globals"]])
    except load.SpecError as error:
        raise Failure("load", str(error), Status.CANNOT_LOAD) from error
    except (ImportError, SyntaxError) as error:
        raise Failure("load", trouble.describe(error), Status.CANNOT_LOAD) from error
    except (Exception, SystemExit) as error:  # the application's; becomes status 3
        raise Failure("boot", trouble.describe(error), Status.BOOT_FAILED) from error


def _load(spec: str, variables: list[str]) -> Application:
    path, hash_, name = spec.partition("#")
    path = os.path.abspath(path)
    if not os.path.isfile(path):
        raise load.SpecError(f"the setting paste names {path!r}, and there is no such file")
    try:
        deploy = importlib.import_module("paste.deploy")
    except ImportError as error:
        text = f"the setting paste needs the package PasteDeploy beside the application ({error}); install it with pip"
        raise load.SpecError(text) from error
    app: Application = deploy.loadapp(f"config:{path}{hash_}{name}", global_conf=global_conf(variables))
    return app


def global_conf(variables: list[str]) -> dict[str, str]:
    """NAME=VALUE texts as a dict; an equals sign that belongs to the name is written \\=."""
    pairs: dict[str, str] = {}
    for text in variables:
        name, value = re.split(r"(?<!\\)=", text, maxsplit=1)
        pairs[name.replace("\\=", "=").strip()] = value.replace("\\=", "=").strip()
    return pairs
