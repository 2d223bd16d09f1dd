"""A validator of ASGI 3 (HTTP 2.5, lifespan 2.0), as strict as wsgiref.validate is for
WSGI: it stands between server and application and fails if either breaks a rule."""

import functools
import inspect

SCOPE = {
    "type": str,
    "asgi": dict,
    "http_version": str,
    "method": str,
    "scheme": str,
    "path": str,
    "raw_path": bytes,
    "query_string": bytes,
    "root_path": str,
    "headers": list,
    "client": (tuple, list, type(None)),
    "server": (tuple, list, type(None)),
    "extensions": dict,
}
EXTENSIONS = ("http.response.early_hint", "http.response.pathsend", "http.response.trailers")


class Broken(BaseException):
    """Somebody broke a rule. Not an Exception, so that no application hides it."""


def rule(holds, text, *values):
    if not holds:
        raise Broken(f"{text}: {values!r}")


def exact(value, kind, what):
    kinds = kind if isinstance(kind, tuple) else (kind,)
    rule(type(value) in kinds, f"{what} is of type {kind}", value)


def check_scope(scope, lifespan_state):
    rule(type(scope) is dict, "the scope is a dict", scope)
    for key, kind in SCOPE.items():
        rule(key in scope, f"the scope has {key}", scope)
        exact(scope[key], kind, key)
    rule(set(scope) - set(SCOPE) <= {"state"}, "the scope has nothing else", list(scope))
    rule(scope["asgi"] == {"version": "3.0", "spec_version": "2.5"}, "asgi", scope["asgi"])
    rule(scope["http_version"] in ("1.0", "1.1", "2"), "http_version", scope["http_version"])
    rule(scope["method"] == scope["method"].upper() != "", "method", scope["method"])
    rule(scope["scheme"] in ("http", "https"), "scheme", scope["scheme"])
    rule(scope["path"].startswith(scope["root_path"]), "path begins with root_path", scope)
    rule(b"?" not in scope["raw_path"] and b"#" not in scope["query_string"], "raw_path", scope)
    for header in scope["headers"]:
        rule(type(header) in (tuple, list) and len(header) == 2, "a header is a pair", header)
        exact(header[0], bytes, "a header's name")
        exact(header[1], bytes, "a header's value")
        rule(header[0] == header[0].lower() != b"" and not header[0].startswith(b":"), "a header's name", header)
    for end in ("client", "server"):
        if scope[end] is not None:
            rule(len(scope[end]) == 2, end, scope[end])
            exact(scope[end][0], str, f"{end}'s host")
            exact(scope[end][1], int, f"{end}'s port")
    for name, value in scope["extensions"].items():
        rule(name in EXTENSIONS and value == {}, "a known extension", name)
    rule(("state" in scope) == (lifespan_state is not None), "state if there is a lifespan", scope)
    if lifespan_state is not None:
        rule(scope["state"] is not lifespan_state, "state is a copy")


class Conversation:
    """Watches the messages of one request."""

    def __init__(self, scope, receive, send):
        self.scope, self._receive, self._send = scope, receive, send
        self.body_over = self.disconnected = False
        self.started = self.body_begun = self.finished = False
        self.trailers = False

    async def receive(self):
        message = await self._receive()
        exact(message, dict, "a message")
        kind = message["type"]
        if kind == "http.request":
            rule(set(message) == {"type", "body", "more_body"}, "http.request", message)
            exact(message["body"], bytes, "body")
            exact(message["more_body"], bool, "more_body")
            rule(not self.body_over and not self.disconnected, "no http.request after the last", message)
            rule(message["body"] or not message["more_body"], "no empty piece in the middle", message)
            self.body_over = not message["more_body"]
        else:
            rule(message == {"type": "http.disconnect"}, "http.disconnect", message)
            self.disconnected = True
        return message

    async def send(self, message):
        exact(message, dict, "a message")
        kind = message["type"]
        rule(not self.finished, "nothing after the last message", message)
        getattr(self, "send_" + kind.rpartition(".")[2], self.unknown)(message)
        rule(await self._send(message) is None, "send returns nothing")

    def unknown(self, message):
        rule(False, "a known message", message)

    def extended(self, message):
        rule(message["type"] in self.scope["extensions"], "an extension that was offered", message)

    def fields(self, headers):
        for name, value in headers:
            exact(name, bytes, "a header's name")
            exact(value, bytes, "a header's value")
            rule(name == name.lower(), "a header's name is in lower case", name)

    def send_start(self, message):
        rule(not self.started, "http.response.start once", message)
        rule(set(message) <= {"type", "status", "headers", "trailers"}, "http.response.start", message)
        rule(isinstance(message["status"], int), "status", message)
        message["headers"] = list(message.get("headers", ()))
        self.fields(message["headers"])
        self.started, self.trailers = True, message.get("trailers", False)

    def send_body(self, message):
        rule(self.started, "http.response.start first", message)
        rule(set(message) <= {"type", "body", "more_body"}, "http.response.body", message)
        exact(message.get("body", b""), bytes, "body")
        exact(message.get("more_body", False), bool, "more_body")
        self.body_begun = True
        self.finished = not message.get("more_body", False) and not self.trailers

    def send_trailers(self, message):
        self.extended(message)
        rule(self.trailers and self.body_begun, "trailers were announced", message)
        self.fields(message["headers"])
        self.finished = not message.get("more_trailers", False)

    def send_pathsend(self, message):
        self.extended(message)
        rule(self.started and not self.body_begun, "the path is the body", message)
        exact(message["path"], str, "path")
        self.finished = True

    def send_early_hint(self, message):
        self.extended(message)
        rule(not self.body_begun, "hints come before the body", message)
        for link in message["links"]:
            exact(link, bytes, "link")


class Lifespan:
    """Watches the messages of a lifespan."""

    def __init__(self, receive, send):
        self._receive, self._send = receive, send
        self.orders, self.answers = [], []

    async def receive(self):
        message = await self._receive()
        want = ("lifespan.startup", "lifespan.shutdown")[len(self.orders)]
        rule(message == {"type": want}, f"{want} comes now", message)
        self.orders.append(want)
        return message

    async def send(self, message):
        rule(len(self.answers) < len(self.orders), "an answer follows an order", message)
        order = self.orders[len(self.answers)]
        rule(message["type"] in (f"{order}.complete", f"{order}.failed"), "an answer to the order", message)
        self.answers.append(message["type"])
        rule(await self._send(message) is None, "send returns nothing")


def validator(app):
    state = None

    @functools.wraps(app)
    async def validated(scope, receive, send):
        nonlocal state
        rule(inspect.iscoroutinefunction(receive) and inspect.iscoroutinefunction(send), "awaitable callables")
        if scope["type"] == "lifespan":
            rule(set(scope) == {"type", "asgi", "state"}, "the lifespan's scope", scope)
            rule(scope["asgi"] == {"version": "3.0", "spec_version": "2.0"}, "asgi", scope["asgi"])
            exact(scope["state"], dict, "state")
            watch = Lifespan(receive, send)

            async def noting(message):
                nonlocal state
                await watch.send(message)
                if message["type"] == "lifespan.startup.complete":
                    state = scope["state"]  # the call lasts as long as the worker

            await app(scope, watch.receive, noting)
            return
        check_scope(scope, state)
        watch = Conversation(scope, receive, send)
        await app(scope, watch.receive, watch.send)
        rule(watch.finished or watch.disconnected, "a whole response", vars(watch))

    return validated
