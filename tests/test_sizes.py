"""What still fits a screen: files of at most 300 lines, functions of at most 45."""

import ast
from pathlib import Path

import haplane

PACKAGE = Path(haplane.__file__).parent
FILE_LINES, FUNCTION_LINES = 300, 45


def test_every_file_and_function_fits_a_screen():
    sizes = {}
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        sizes[str(path)] = len(text.splitlines()) - FILE_LINES
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                sizes[f"{path}: {node.name}"] = node.end_lineno - node.lineno + 1 - FUNCTION_LINES
    assert {name: lines for name, lines in sizes.items() if lines > 0} == {}
