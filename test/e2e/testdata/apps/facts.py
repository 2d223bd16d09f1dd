"""An application that answers with what it was told: the text items of its environ."""

import json


def application(environ, start_response):
    facts = {key: value for key, value in environ.items() if isinstance(value, str)}
    facts["body"] = str(len(environ["wsgi.input"].read()))
    body = json.dumps(facts).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
