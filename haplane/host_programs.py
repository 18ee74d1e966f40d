"""Programs that run on hosts: ``haplane/*/on_host/*.py``, with nothing but Python's standard library.

Several files become one text. The names at the top of all files of a program are one namespace: none may be there
twice.
"""

from __future__ import annotations

import ast
import base64
import re
import threading
import zlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
AMONG_THEMSELVES = re.compile(r"^from haplane\.\w+\.on_host\.\w+ import (\([^)]*\)|[^(\n]*)\n", re.M)
FUTURE = "from __future__ import annotations\n"
_one_parser = threading.Lock()
"""Python 3.11 counts the depth of syntax trees for all threads together: of two that parse at once one fails."""


def parts(package: str, *names: str) -> tuple[Path, ...]:
    """The files ``haplane/PACKAGE/on_host/NAME.py``."""
    return tuple(PACKAGE / package / "on_host" / f"{name}.py" for name in names)


@cache
def program(*files: Path) -> str:
    """The files one after the other, each after those that it uses, without their imports of each other."""
    texts = [file.read_text(encoding="utf-8") for file in files]
    return FUTURE + "".join(AMONG_THEMSELVES.sub("", text).replace(FUTURE, "") for text in texts)


@cache
def packed(text: str) -> str:
    """A program as one short line of Python that unpacks and runs it: the kernel limits the length of an argument."""
    with _one_parser:
        short = _without_docstrings(text)
    content = base64.b64encode(zlib.compress(short.encode(), 9)).decode()
    return f"import base64,zlib;exec(zlib.decompress(base64.b64decode('{content}')))"


def _without_docstrings(text: str) -> str:
    """More than a quarter of a program; every other line stays as it is."""
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        for one in getattr(node, "body", ()) if not isinstance(node, ast.Lambda | ast.IfExp) else ():
            if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) and isinstance(one.value.value, str):
                last = one.end_lineno or one.lineno
                lines[one.lineno - 1 : last] = [f"{' ' * one.col_offset}pass\n", *[""] * (last - one.lineno)]
    return "".join(lines)
