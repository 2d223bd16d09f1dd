"""An application in a package."""

from plain import answer


def application(environ, start_response):
    return answer(start_response, "deep")
