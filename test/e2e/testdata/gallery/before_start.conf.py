"""An agent that must be there before the application is imported, in the manner of New
Relic: started at the top of the file, it patches the import and reads its environment."""

import importlib.abc
import os
import sys

from hooktrace import trace  # beside this file

os.environ.setdefault("AGENT_CONFIG_FILE", os.path.join(os.path.dirname(os.path.abspath(__file__)), "agent.ini"))
os.environ["AGENT_STARTED"] = "before"


class Watch(importlib.abc.MetaPathFinder):
    """Hears of every import after it, and has no part in it."""

    def find_spec(self, name, path=None, target=None):
        if name == "plain_app":
            trace("import", name, os.environ["AGENT_STARTED"])
        return None


sys.meta_path.insert(0, Watch())

wsgi_app = "plain_app:application"
workers = int(os.environ.get("GALLERY_WORKERS", 1))
bind_host, bind_port = "0.0.0.0", 8000  # names of the file's own
limit_request_line = 8190
limit_request_fields = 64
raw_env = [f"AGENT_LABEL={__name__}", "SECOND=a=b"]


def post_fork(server, worker):
    trace("post_fork", os.environ["AGENT_LABEL"], os.environ["SECOND"], server.cfg.env["SECOND"])
