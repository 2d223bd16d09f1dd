"""Code that one mold has compiled and the next uses (indrik/boot.py)."""

import marshal

import pytest
from fakemaster import Master

APP = """
import sys, linecache, indrik
def app(environ, start_response):
    start_response("200 OK", [])
    if environ["QUERY_STRING"]:
        raise LookupError(environ["QUERY_STRING"])
    return [str(indrik.sync.serve.__code__.co_consts.count("was given")).encode()]
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "bare.py").write_text(APP)
    return str(tmp_path)


@pytest.fixture
def made(place):
    with Master("bare:app", pythonpath=[place]) as m:
        m.configure()
        return m.offered()


def marked(made):
    """made, with a constant in a function that compiling would not put there."""
    identity, _, code = made.partition(b"\n")
    table = marshal.loads(code)
    module = marshal.loads(table["indrik.sync"])
    consts = list(module.co_consts)
    at = next(i for i, c in enumerate(consts) if getattr(c, "co_name", "") == "serve")
    consts[at] = consts[at].replace(co_consts=(*consts[at].co_consts, "was given"))
    table["indrik.sync"] = marshal.dumps(module.replace(co_consts=tuple(consts)))
    return identity + b"\n" + marshal.dumps(table)


def used(place, compiled):
    """Whether a worker runs what its mold was given."""
    with Master("bare:app", pythonpath=[place], compiled=compiled) as m:
        m.configure()
        return m.get(m.ready()).body == b"1"


def test_a_mold_uses_what_it_is_given(place, made):
    assert used(place, marked(made))
    assert not used(place, b"")


def test_code_of_another_interpreter_is_not_used(place, made):
    """Executing it would crash, or do something else than is written."""
    _, _, code = marked(made).partition(b"\n")
    assert not used(place, b"another interpreter\n" + code)


def test_all_modules_are_compiled(made):
    """Those too that come late: a worker that wants one must not wait for the compiler."""
    table = marshal.loads(made.partition(b"\n")[2])
    assert {"indrik", "indrik.mold", "indrik.asgi_websocket", "indrik.check", "indrik.spew"} <= table.keys()


def test_a_mold_that_compiled_nothing_offers_nothing(place, made):
    with Master("bare:app", pythonpath=[place], compiled=made) as m:
        m.configure()
        m.ready()
        m.channel.settimeout(3)  # a calm mold has spoken by then
        with pytest.raises(TimeoutError):
            m.fact()
