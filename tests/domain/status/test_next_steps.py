"""Every kind of problem, by the places that make one: each has a next step. conftest.py looks at what comes out."""

import ast
from pathlib import Path

DOMAIN = Path(__file__).parents[3] / "haplane" / "domain"
MAKER = DOMAIN / "problem.py"


def calls(name):
    """Where this is called in the domain, each with its place."""
    for path in sorted(DOMAIN.rglob("*.py")):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)) if f"{name}(" in text else ():
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name:
                yield path, node


def test_every_kind_of_problem_has_a_next_step():
    without = []
    for path, kind in calls("problem"):
        fix = next((word.value for word in kind.keywords if word.arg == "fix"), ast.Constant(None))
        if any(isinstance(node, ast.Constant) and node.value in (None, "") for node in ast.walk(fix)):
            without.append(f"{path.relative_to(DOMAIN)}:{kind.lineno}: {ast.unparse(kind.args[0])}")
    assert without == []


def test_no_line_of_status_is_made_otherwise():
    """mypy refuses text where a Problem is due; this refuses to call any text one."""
    assert {path for path, _ in calls("Problem")} == {MAKER}
    untyped = [
        (path.name, node.name)
        for path in [*(DOMAIN / "status").glob("*.py"), DOMAIN / "snapshot_status.py", DOMAIN / "assessment.py"]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.endswith("problems")
        if "Problem" not in ast.unparse(node.returns)
    ]
    assert untyped == []
