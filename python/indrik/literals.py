"""Which settings of a configuration file are computed: what `indrik migrate` must
tell of. Runs in the mold, for people only.
"""

from __future__ import annotations

import ast


def computed(path: str) -> dict[str, str]:
    """The source text of every value that a file assigns at its top level, or below an
    `if` or the like there, and that is no literal; by name. Of several the last one
    counts. Nothing for `python:MODULE`."""
    if path.startswith("python:"):
        return {}
    with open(path, "rb") as file:
        source = file.read()
    found: dict[str, str] = {}
    text = source.decode(errors="replace")
    for statement, sure in _assignments(ast.parse(source).body, True):
        for name in _names(statement):
            if sure and _literal(statement.value):
                found.pop(name, None)
            else:
                found[name] = ast.get_source_segment(text, statement) or name
    return found


def _assignments(body: list[ast.stmt], sure: bool) -> list[tuple[ast.Assign | ast.AnnAssign | ast.AugAssign, bool]]:
    """The assignments among statements, each with whether it is certainly carried out."""
    all_: list[tuple[ast.Assign | ast.AnnAssign | ast.AugAssign, bool]] = []
    for statement in body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            all_.append((statement, sure and not isinstance(statement, ast.AugAssign)))
        elif not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            for part in ("body", "orelse", "finalbody"):
                all_ += _assignments(getattr(statement, part, []), False)
            for handler in getattr(statement, "handlers", []):
                all_ += _assignments(handler.body, False)
    return all_


def _names(statement: ast.Assign | ast.AnnAssign | ast.AugAssign) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]


def _literal(value: ast.expr | None) -> bool:
    if value is None:
        return True  # an annotation alone
    try:
        ast.literal_eval(value)
    except ValueError:
        return False
    return True
