"""The setting paste, with the real PasteDeploy where it is installed."""

import importlib.util
import sys

import pytest
from fakemaster import Master

from indrik import load, paste
from indrik.status import Status

INI = """
[app:main]
use = call:pasted:make
greeting = hello from %(place)s

[app:other]
use = call:pasted:make
greeting = the other one
"""

MAKE = """
def make(global_conf, greeting):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{greeting} {global_conf['debug']}".encode()]
    return app
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    (tmp_path / "site.ini").write_text(INI)
    (tmp_path / "pasted.py").write_text(MAKE)
    return tmp_path


def boot(site, ini, **more):
    options = {"paste": f"{site}/{ini}", "paste_globals": ["debug=no", "place=here"], **more}
    return Master("ignored", options=options, pythonpath=[str(site)])


@pytest.mark.parametrize("preload", [False, True])
@pytest.mark.parametrize(
    ("ini", "says"), [("site.ini", b"hello from here no"), ("site.ini#other", b"the other one no")]
)
def test_the_application_of_a_file(site, ini, says, preload):
    if importlib.util.find_spec("paste") is None:
        pytest.skip("PasteDeploy is not installed")
    with boot(site, ini, preload_app=preload) as m:
        assert m.configure()[0] == "configured"
        assert m.get(m.ready()).body == says


@pytest.mark.parametrize(
    ("ini", "stage", "text"),
    [("none.ini", "load", "there is no such file"), ("site.ini#third", "boot", "third")],
)
def test_what_cannot_be_loaded(site, ini, stage, text):
    if importlib.util.find_spec("paste") is None:
        pytest.skip("PasteDeploy is not installed")
    with boot(site, ini) as m:
        m.configure()
        fact = m.spawn().fact()
    assert fact[:2] == ("failed", stage) and text in fact[2]


def test_without_the_package(site, monkeypatch):
    monkeypatch.setitem(sys.modules, "paste.deploy", None)
    with pytest.raises(load.Failure, match="needs the package PasteDeploy") as caught:
        paste.attempt("", {"paste": f"{site}/site.ini", "paste_globals": []})
    assert caught.value.status is Status.CANNOT_LOAD


def test_global_variables():
    assert paste.global_conf(["a=1", r"b\=c=2=3", " d = x "]) == {"a": "1", "b=c": "2=3", "d": "x"}
