"""An application that takes long to import."""

import time

from notes import note

note("loading")
time.sleep(30)


def application(environ, start_response):
    return []
