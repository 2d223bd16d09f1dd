"""Stands for the package of that name: the title can be read in the environment."""

import os


def setproctitle(text):
    os.environ["E2E_TITLE"] = text
