"""examples/hello, the application of `make run`."""

from fakemaster import PYTHON, Master

HELLO = PYTHON.parent / "examples" / "hello"


def test_hello_tells_the_truth():
    for app in ("app", "app:app"):
        with Master(app, cwd=HELLO) as m:
            m.configure()
            w = m.ready(slot=2)
            m.get(w)
            page = m.get(w, PATH_INFO="/<script>").body.decode()
            for fact in (f"<dd>{w.pid}</dd>", "<dt>slot</dt><dd>2</dd>", "<dt>generation</dt><dd>7</dd>"):
                assert fact in page
            assert "<dt>requests answered</dt><dd>2</dd>" in page
            assert "<script>" not in page and "&lt;script&gt;" in page
            assert w.retire() == 0


def test_hello_is_valid_wsgi(tmp_path):
    (tmp_path / "validated.py").write_text(
        "from wsgiref.validate import validator\nimport app\napplication = validator(app.application)\n"
    )
    with Master("validated", cwd=HELLO, pythonpath=[str(tmp_path)]) as m:
        m.configure()
        w = m.ready()
        assert m.get(w).status == "200 OK"
        assert w.retire() == 0
