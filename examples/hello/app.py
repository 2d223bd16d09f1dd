"""Hello from Indrik: a page that says which process answered. Standard library only.

    indrik --chdir examples/hello app
"""

import html
import os
import platform
from itertools import count

_requests = count(1)

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from Indrik</title>
<style>
  body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 32rem; margin: 12vh auto; padding: 0 1rem;
         color: #24292f; background: #fbfaf7 }}
  h1 {{ font-weight: 600; margin-bottom: 0 }}
  dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.5rem }}
  dt {{ color: #6b7280 }}
  dd {{ margin: 0; font-variant-numeric: tabular-nums }}
</style>
</head>
<body>
<h1>Hello!</h1>
<p>This page was made by a worker of Indrik.</p>
<dl>
{rows}
</dl>
</body>
</html>
"""


def app(environ, start_response):
    """Answer every path with the facts about the worker that answers."""
    facts = {
        "worker pid": os.getpid(),
        "slot": os.environ.get("INDRIK_SLOT", "none"),
        "generation": os.environ.get("INDRIK_GENERATION", "none"),
        "Python": platform.python_version(),
        "requests answered": next(_requests),
        "path": environ.get("PATH_INFO", ""),
    }
    rows = "\n".join(f"<dt>{name}</dt><dd>{html.escape(str(value))}</dd>" for name, value in facts.items())
    body = _PAGE.format(rows=rows).encode("utf-8", "backslashreplace")
    start_response(
        "200 OK",
        [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))],
    )
    return [body]


application = app
