"""What MODULE[:EXPRESSION] may be, without a process."""

import os

import pytest

from indrik import load


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("app", load.Spec("app")),
        ("pkg.sub", load.Spec("pkg.sub")),
        ("app:app", load.Spec("app", ("app",))),
        ("app: site.wsgi ", load.Spec("app", ("site", "wsgi"))),
        ("app:make()", load.Spec("app", ("make",), True)),
        (
            "app:a.make(1, 'x', k=[None, True, {'y': -2.5}])",
            load.Spec("app", ("a", "make"), True, (1, "x"), {"k": [None, True, {"y": -2.5}]}),
        ),
    ],
)
def test_parse_reads(text, want):
    assert load.parse(text) == want


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":app",
        "app:",
        "app:1",
        "app:a b",
        "app:a[0]",
        "app:a()()",
        "app:a().b",
        "app:'text'",
        "app:a(b)",
        "app:a(*[1])",
        "app:a(**{})",
        "app:a(__import__('os'))",
        "app:a(f'{1}')",
        "app:lambda: 0",
        "app:a;b",
        "app:a\0",
        "a-b",
        "a..b",
        "../app",
        "app:a(1",
        "app:(a, b)",
        "app:a\nb",
    ],
)
def test_parse_refuses(text):
    """Nothing but names and literals may mean anything: the text is never evaluated."""
    with pytest.raises(load.SpecError):
        load.parse(text)


def test_file_names_get_a_hint():
    """`indrik app.py` is the most frequent slip."""
    for text in ("app.py", "app.py:app", "./app.py", "pkg/app.py"):
        with pytest.raises(load.SpecError, match=r"did you mean '(pkg\.)?app'"):
            load.parse(text)


def test_load_walks_attributes():
    assert load.load("os:path.join") is os.path.join
