"""gunicorn.conf.py: what is taken from it, and what is said when it is wrong."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from indrik import config, literals

KNOWN = frozenset(
    {"bind", "workers", "timeout", "preload_app", "accesslog", "worker_class", "chdir", "secure_scheme_headers"}
)


def read(tmp_path: Path, text: str, name: str = "gunicorn.conf.py") -> config.Config:
    path = tmp_path / name
    path.write_text(textwrap.dedent(text))
    return config.read(str(path), KNOWN)


def test_values_become_texts(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        import multiprocessing, pathlib
        bind = ["127.0.0.1:8000", "unix:/run/a.sock"]
        workers = 2 * 2 + 1
        timeout = 2.5
        preload_app = True
        accesslog = None
        chdir = pathlib.Path("/srv")
        secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
        class Mine: pass
        worker_class = Mine
        """,
    )
    assert found.settings == {
        "bind": ["127.0.0.1:8000", "unix:/run/a.sock"],
        "workers": ["5"],
        "timeout": ["2.5"],
        "preload_app": ["true"],
        "chdir": ["/srv"],
        "secure_scheme_headers": ["X-FORWARDED-PROTO=https"],
        "worker_class": ["__config__.Mine"],
    }
    assert found.unknown == []


def test_names_that_may_be_misspelt(tmp_path: Path) -> None:
    found = read(tmp_path, "wrokers = 3\n_private = 1\nimport os\ndef helper(): pass\nclass A: pass\n")
    assert found.unknown == ["wrokers"]


def test_hooks(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        def post_fork(server, worker): return "here"
        def post_request(worker, req, environ, resp): pass
        def pre_request(*anything): pass
        when_ready = "os.path.exists"
        on_exit = None
        """,
    )
    assert sorted(found.hooks) == ["post_fork", "post_request", "pre_request", "when_ready"]
    assert found.hooks["post_fork"](None, None) == "here"


@pytest.mark.parametrize(
    "text, reason",
    [
        ("def post_fork(server): pass", "post_fork must take 2 arguments, not 1"),
        ("def post_request(worker): pass", "post_request must take 2 or 3 or 4 arguments, not 1"),
        ("on_starting = 3", "on_starting must be a function, not 3"),
        ("on_starting = 'nowhere'", "on_starting must be a function or the dotted name of one"),
        ("on_starting = 'no.such.module'", "on_starting: 'no.such.module' cannot be imported"),
        ("workers = object()", "workers cannot be <object"),
        ("bind = [b'x']", "bind cannot be b'x'"),
    ],
)
def test_what_no_setting_can_be(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(config.ConfigError, match="^" + reason.replace("(", r"\(")):
        read(tmp_path, text)


def test_objects_stay_here(tmp_path: Path) -> None:
    found = read(tmp_path, "logconfig_dict = {'version': 1}\nclass L: pass\nlogger_class = L\n")
    assert found.objects["logconfig_dict"] == {"version": 1}
    assert found.objects["logger_class"].__name__ == "L"


def test_any_ending(tmp_path: Path) -> None:
    assert read(tmp_path, "workers = 2", "settings.conf").settings == {"workers": ["2"]}


def test_an_edit_within_the_same_second_counts(tmp_path: Path) -> None:
    assert read(tmp_path, "workers = 2").settings == {"workers": ["2"]}
    assert read(tmp_path, "workers = 3").settings == {"workers": ["3"]}
    assert not list(tmp_path.glob("__pycache__"))


def test_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_config.py").write_text("workers = 4")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert config.read("python:my_config", KNOWN).settings == {"workers": ["4"]}
    sys.modules.pop("my_config")


def test_its_name_and_file(tmp_path: Path) -> None:
    found = read(tmp_path, "bind = __name__\nchdir = __file__")
    assert found.settings == {"bind": ["__config__"], "chdir": [str(tmp_path / "gunicorn.conf.py")]}


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match="there is no file"):
        config.read(str(tmp_path / "none.py"), KNOWN)


def test_what_the_file_raises_comes_through(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        read(tmp_path, "workers = 1 / 0")
    with pytest.raises(SyntaxError):
        read(tmp_path, "workers = = 1")
    with pytest.raises(SystemExit):
        read(tmp_path, "raise SystemExit(3)")


def test_computed_values(tmp_path):
    """What `indrik migrate` must tell of: everything whose value is not what is written."""
    path = tmp_path / "gunicorn.conf.py"
    path.write_text(
        "import os\nbind = 'a:1'\nworkers = os.cpu_count() * 2\nthreads: int = -2\n"
        "raw_env = ['A=1']\nraw_env += ['B=2']\n"
        "if os.name:\n    timeout = 5\nelse:\n    timeout = 6\nkeepalive = int('3')\nkeepalive = 4\n"
        "def post_fork(server, worker):\n    backlog = os.getpid()\n"
    )
    assert literals.computed(str(path)) == {
        "workers": "workers = os.cpu_count() * 2",
        "raw_env": "raw_env += ['B=2']",
        "timeout": "timeout = 6",
    }
    assert literals.computed("python:settings") == {}
