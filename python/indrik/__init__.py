"""Indrik's Python side: the mold and the workers. Standard library only.

Nothing here is an interface for applications. The package is private to one
version of Indrik: the same binary holds the other ends of every socket
(docs/protocol.md). It lives inside someone else's program, so it starts
few threads, configures no logging and imports little. What it does touch is listed
in README.md beside pyproject.toml.
"""
