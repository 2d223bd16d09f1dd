"""Stands for the package of that name."""

title = ""


def setproctitle(text):
    global title
    title = text
