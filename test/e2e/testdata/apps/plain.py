"""The smallest application, and others of its kind, for the ways to name one."""

import os
import time

from notes import note


def answer(start_response, text, status="200 OK"):
    body = text.encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def application(environ, start_response):
    """/pid, /env/NAME, /cwd, /hold/NOTE/SECONDS, /sleep/SECONDS, /kill/SIGNAL; hello to all else."""
    _, word, *rest = environ["PATH_INFO"].split("/")
    if word == "pid":
        return answer(start_response, str(os.getpid()))
    if word == "env":
        return answer(start_response, os.environ.get(rest[0], "none"))
    if word == "cwd":
        return answer(start_response, os.getcwd())
    if word == "hold":
        note(rest[0], os.getpid())
        time.sleep(float(rest[1]))
        return answer(start_response, "held")
    if word == "sleep":
        time.sleep(float(rest[0]))
    if word == "kill":
        os.kill(os.getpid(), int(rest[0]))
    if word == "raise":
        raise RuntimeError("as it was asked to")
    if word == "environ":
        return answer(start_response, repr(environ.get(rest[0])))
    return answer(start_response, "hello")


def app(environ, start_response):
    return answer(start_response, "app")


def factory(*args, **kwargs):
    """An application that says how it was made."""

    def made(environ, start_response):
        return answer(start_response, f"made {args} {kwargs}")

    return made


class Box:
    """For module:object.attribute."""

    class inner:
        @staticmethod
        def app(environ, start_response):
            return answer(start_response, "inner")


not_callable = 7
nothing = None
