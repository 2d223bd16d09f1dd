"""The order to check: load the application as a worker would, and serve nothing.
Runs in the mold, in place of everything else that it does.
"""

from __future__ import annotations

import os
from typing import Any

from . import config, greenlets, hooks, load, logs, paste, privileges, worker
from .wire import WireError


def application(settings: Any, found: config.Config) -> str:
    """The class of worker that would run the application. load.Failure if none
    could. No hook is called."""
    try:
        options = dict(settings["options"])
        app = str(settings["app"])
        pythonpath = [str(path) for path in settings["pythonpath"]]
        cfg = hooks.Config(hooks.values(settings["settings"], settings["seconds"]), found.hooks)
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"settings that cannot be read: {error!r}") from error
    if settings.get("dir"):
        os.chdir(settings["dir"])
    os.environ.update(cfg.env)
    load.extend_path(pythonpath)
    cfg.settings.update(errorlog="-", capture_output=False, syslog=False)  # nothing is served, so nothing is logged
    logs.boot(cfg, found.objects, privileges.resolve(options), app)
    greenlets.hub(options["worker_class"])
    return worker.choose(app, paste.attempt(app, options), options)
