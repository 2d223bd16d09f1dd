"""user, group, umask and initgroups: who the workers are, and who the mold stays."""

import grp
import json
import os
import pwd
import shutil
import tempfile
from pathlib import Path

import pytest
from fakemaster import Master

from indrik import load, privileges

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
NONE = {"user": "", "group": "", "umask": None, "initgroups": False}

APP = """
import json, os
LOADED = os.geteuid()
def application(environ, start_response):
    status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
    start_response("200 OK", [])
    os.close(os.open("made", os.O_CREAT | os.O_WRONLY, 0o666))
    mode = os.stat("made").st_mode & 0o777
    os.remove("made")
    found = {"uids": status["Uid"].split(), "gids": status["Gid"].split(), "groups": os.getgroups(), "mode": mode}
    return [json.dumps({**found, "loaded": LOADED}).encode()]
"""


@pytest.fixture
def site():
    """A directory that everybody can use, with an application in it."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o777)
    (path / "who.py").write_text(APP)
    yield path
    shutil.rmtree(path)


def who(site, **options):
    with Master("who", cwd=site, options={**NONE, **options}) as m:
        m.configure()
        w = m.ready()
        found = json.loads(m.get(w).body)
        mold = Path(f"/proc/{m.mold.pid}/status").read_text()
        assert w.retire() == 0
        assert "\nUid:\t" + "\t".join([str(os.geteuid())] * 4) in mold
        assert json.loads(m.get(m.ready()).body)["uids"] == found["uids"]  # the mold can still fork such workers
    return found


@root
@pytest.mark.parametrize("by", ["name", "number"])
def test_worker_becomes_user_and_group_for_good(site, by):
    user, group = pwd.getpwnam("nobody"), grp.getgrnam("games")
    names = {"name": ("nobody", "games"), "number": (str(user.pw_uid), str(group.gr_gid))}[by]
    found = who(site, user=names[0], group=names[1])
    assert found["uids"] == [str(user.pw_uid)] * 4
    assert found["gids"] == [str(group.gr_gid)] * 4
    assert found["groups"] == os.getgroups()
    assert found["loaded"] == user.pw_uid


@root
def test_initgroups_takes_the_users_groups_and_no_others(site):
    found = who(site, user="nobody", group="games", initgroups=True)
    assert set(found["groups"]) == set(os.getgrouplist("nobody", grp.getgrnam("games").gr_gid))


@root
def test_the_four_settings_do_nothing_by_themselves(site):
    found = who(site)
    assert found["uids"] == ["0"] * 4 and found["groups"] == os.getgroups()
    mask = os.umask(0)
    os.umask(mask)
    assert found["mode"] == 0o666 & ~mask


def test_umask_is_for_files_of_the_application(site):
    assert who(site, umask=0o027)["mode"] == 0o640


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"user": "no-such-user"}, "no such user: 'no-such-user'"),
        ({"group": "no-such-group"}, "no such group: 'no-such-group'"),
        ({"user": "4294967295"}, "no user can have the number 4294967295"),
        ({"group": "99999999999"}, "no group can have the number"),
        ({"user": "4294967294", "initgroups": True}, "initgroups needs a user with a name"),
    ],
)
def test_mold_says_what_is_wrong_before_it_forks(options, says):
    with pytest.raises(AssertionError, match="mold ended with 3"), Master(options={**NONE, **options}) as m:
        fact = m.configure()
        assert fact[0] == "failed" and fact[1].startswith(says)


def test_others_than_root_cannot_become_somebody_else(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getegid", lambda: 1000)
    same = privileges.resolve({**NONE, "user": "1000", "group": "1000", "umask": 7})
    assert same == privileges.Identity(umask=7)
    for wrong in ({"user": "1001"}, {"group": "1001"}):
        with pytest.raises(load.Failure, match="takes root, and this is"):
            privileges.resolve({**NONE, **wrong})
