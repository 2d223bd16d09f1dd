"""`reload`: from a saved file to the word that it changed, and to the new code."""

import os
import select
import time

import pytest
from fakemaster import Master, needs, until

HELLO = """
def application(environ, start_response):
    start_response("200 OK", [])
    return [{0}]
"""


def write(path, text):
    """As editors do it: a new file in the place of the old one."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


@pytest.fixture
def site(tmp_path):
    """An application in a module and a package beside it."""
    (tmp_path / "site_app.py").write_text("import pieces.part\n" + HELLO.format("pieces.part.TEXT"))
    (tmp_path / "pieces").mkdir()
    (tmp_path / "pieces" / "__init__.py").write_text("")
    (tmp_path / "pieces" / "part.py").write_text("TEXT = b'old'\n")
    return tmp_path


def master(site, app="site_app", kind="sync", **more):
    return Master(app, cwd=site, options={"worker_class": kind, "reload": True, **more}, quiet=False)


def changed(worker, *paths):
    """Wait for the word of a change; how many seconds it took."""
    before = time.monotonic()
    kind, found = worker.fact()
    assert (kind, found) == ("changed", [str(path) for path in paths])
    return time.monotonic() - before


@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent", "eventlet"])
def test_from_save_to_new_code_in_less_than_a_second(site, kind):
    needs(kind)
    with master(site, kind=kind, threads=2 if kind == "gthread" else 1) as m:
        m.configure()
        w = m.ready()
        assert m.get(w).body == b"old"
        times = []
        for text in (b"new", b"newer", b"newest"):
            write(site / "pieces" / "part.py", f"TEXT = {text!r}\n")
            saved = time.monotonic()
            changed(w, site / "pieces" / "part.py")
            assert w.retire() == 0
            w = m.ready()
            assert m.get(w).body == text
            times.append(time.monotonic() - saved)
        assert sorted(times)[0] < 1, times


def test_broken_file_is_shown_and_the_next_save_heals(site):
    part = site / "pieces" / "part.py"
    part.write_text("TEXT = b'<&\n")
    with master(site) as m:
        m.configure()
        w = m.ready()
        for _ in range(2):
            got = m.get(w)
            assert got.status == "500 Internal Server Error" and b"SyntaxError" in got.body
            assert b"pieces/part.py" in got.body and b"TEXT = b&#x27;&lt;&amp;" in got.body
        assert "SyntaxError" in m.stderr()
        write(part, "TEXT = b'healed'\n")
        changed(w, part)
        assert w.retire() == 0
        assert m.get(m.ready()).body == b"healed"


@pytest.mark.parametrize(
    ("app", "says"),
    [
        ("no_such_module", b"No module named"),
        ("site_app:nothing", b"has no attribute"),
        ("broken", b"ZeroDivisionError"),
        ("exits", b"SystemExit"),
    ],
)
@pytest.mark.parametrize("kind", ["sync", "gthread"])
def test_whatever_keeps_it_from_loading_is_shown(site, app, says, kind):
    (site / "broken.py").write_text("1 / 0\n")
    (site / "exits.py").write_text("raise SystemExit(1)\n")
    with master(site, app, kind, threads=2 if kind == "gthread" else 1) as m:
        m.configure()
        assert says in m.get(m.ready()).body


def test_without_reload_it_is_a_failure_as_ever(site):
    (site / "broken.py").write_text("1 / 0\n")
    with Master("broken", cwd=site) as m:
        m.configure()
        w = m.spawn()
        assert w.fact()[:2] == ("failed", "boot")


def test_module_that_is_imported_later_is_watched(site):
    (site / "late.py").write_text("TEXT = b'late'\n")
    (site / "lazy.py").write_text(
        "def application(environ, start_response):\n    import late\n\n"
        "    start_response('200 OK', [])\n    return [late.TEXT]\n"
    )
    with master(site, "lazy") as m:
        m.configure()
        w = m.ready()
        assert m.get(w).body == b"late"
        write(site / "late.py", "TEXT = b'later'\n")
        changed(w, site / "late.py")


def test_file_that_changes_while_it_is_loaded_has_changed(site):
    """What was loaded is not what is on disk when the import is over."""
    (site / "racy.py").write_text(
        "import os\nopen(__file__, 'a').write('#')\nopen(os.path.join('pieces', 'part.py'), 'a').write('#')\n"
        + "import pieces.part\n"
        + HELLO.format("pieces.part.TEXT")
    )
    with master(site, "racy") as m:
        m.configure()
        changed(m.ready(), site / "racy.py")  # and not part.py, which was read after it was written


def test_unchanged_files_are_no_news(site):
    """Files that are read, touched with the same times, or gone, have not changed."""
    with master(site) as m:
        m.configure()
        w = m.ready()
        info = os.stat(site / "site_app.py")
        os.utime(site / "site_app.py", ns=(info.st_atime_ns + 1, info.st_mtime_ns))
        (site / "pieces" / "part.py").rename(site / "away")
        beat = m.row()[0]
        until(lambda: m.row()[0] > beat)  # a second, which is several looks
        assert not select.select([w.report], [], [], 0)[0]
        (site / "away").rename(site / "pieces" / "part.py")
        write(site / "site_app.py", HELLO.format("b'now'"))
        changed(w, site / "site_app.py")


def test_extra_files_may_be_patterns_and_need_not_exist(site):
    (site / "one.html").write_text("1")
    with master(site, reload_extra_files=["*.html", "settings.ini"]) as m:
        m.configure()
        for path in (site / "one.html", site / "two.html", site / "settings.ini"):
            w = m.ready()
            path.write_text("changed")
            changed(w, path)
            assert w.retire() == 0


def test_report_goes_out_once_and_the_worker_serves_on(site):
    with master(site) as m:
        m.configure()
        w = m.ready()
        write(site / "pieces" / "part.py", "TEXT = b'new'\n")
        changed(w, site / "pieces" / "part.py")
        write(site / "pieces" / "part.py", "TEXT = b'newer'\n")
        assert m.get(w).body == b"old"
        assert w.retire() == 0
        assert w.fact() is None


def test_reload_leaves_when_the_master_is_gone(site):
    with master(site) as m:
        m.configure()
        w = m.ready()
        w.report.close()
        write(site / "pieces" / "part.py", "TEXT = b'new'\n")
        assert m.get(w).body == b"old"
        assert w.retire() == 0
