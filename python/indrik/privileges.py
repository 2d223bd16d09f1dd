"""Who a worker runs as: the settings user, group, umask and initgroups. The mold looks
the names up, before the fork; each worker becomes who they name, before it loads the
application. The mold keeps its rights, or it could fork no other workers.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple, NoReturn

from .load import Failure
from .status import Status

_KEEP = 0xFFFF_FFFF  # (uid_t)-1: what setuid(2) and chown(2) take for none


class Identity(NamedTuple):
    """What a worker has to become; None means to stay as it is."""

    uid: int | None = None
    gid: int | None = None
    name: str | None = None  # of the user, if initgroups wants it
    umask: int | None = None


def resolve(options: dict[str, Any]) -> Identity:
    """Look up what the settings name. Failure if there is no such user or group, or if
    only root could become it and this is not root."""
    user, group, umask = options["user"], options["group"], options["umask"]
    uid = _uid(user) if user else None
    gid = _gid(group) if group else None
    name = _name(os.geteuid() if uid is None else uid) if options["initgroups"] else None
    if os.geteuid() != 0:
        if uid not in (None, os.geteuid()):
            _fail(f"workers cannot become user {user!r}: that takes root, and this is uid {os.geteuid()}")
        if gid not in (None, os.getegid()):
            _fail(f"workers cannot become group {group!r}: that takes root, and this is gid {os.getegid()}")
        uid = gid = name = None
    return Identity(uid, gid, name, umask)


def assume(identity: Identity) -> None:
    """Become it, for good. Without initgroups the supplementary groups stay those that the
    service was started with, as in Gunicorn. Failure if the kernel refuses."""
    try:
        if identity.umask is not None:
            os.umask(identity.umask)
        if identity.name is not None:
            os.initgroups(identity.name, os.getegid() if identity.gid is None else identity.gid)
        if identity.gid is not None:
            os.setresgid(identity.gid, identity.gid, identity.gid)
        if identity.uid is not None:
            os.setresuid(identity.uid, identity.uid, identity.uid)
    except OSError as error:
        _fail(f"the worker cannot become uid {identity.uid}, gid {identity.gid}: {os.strerror(error.errno or 0)}")


def _uid(user: str) -> int:
    if user.isascii() and user.isdecimal():
        return _number(user, "user")
    import pwd

    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        _fail(f"no such user: {user!r}")


def _gid(group: str) -> int:
    if group.isascii() and group.isdecimal():
        return _number(group, "group")
    import grp

    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        _fail(f"no such group: {group!r}")


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        _fail(f"initgroups needs a user with a name, and uid {uid} has none")


def _number(text: str, kind: str) -> int:
    number = int(text)
    if number >= _KEEP:
        _fail(f"no {kind} can have the number {text}")
    return number


def _fail(text: str) -> NoReturn:
    raise Failure("boot", text, Status.BOOT_FAILED)
