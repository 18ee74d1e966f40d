"""Programs that run on hosts: several files as one text, with nothing but Python's standard library.

The names at the top of all files of a program are one namespace: none may be there twice.
"""

from __future__ import annotations

import base64
import re
import zlib
from functools import cache
from pathlib import Path

ON_HOST = Path(__file__).parent / "on_host"
AMONG_THEMSELVES = re.compile(r"^from haplane\.\w+\.on_host\.\w+ import (\([^)]*\)|[^(\n]*)\n", re.M)
FUTURE = "from __future__ import annotations\n"


def observer_parts(*names: str) -> list[Path]:
    """The observer's files of these names, which other programs use too."""
    return [ON_HOST / f"{name}.py" for name in names]


@cache
def program(*files: Path) -> str:
    """The files one after the other, each after those that it uses, without their imports of each other."""
    texts = [file.read_text(encoding="utf-8") for file in files]
    return FUTURE + "".join(AMONG_THEMSELVES.sub("", text).replace(FUTURE, "") for text in texts)


def packed(text: str) -> str:
    """A program as one short line of Python that unpacks and runs it: the kernel limits the length of an argument."""
    content = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    return f"import base64,zlib;exec(zlib.decompress(base64.b64decode('{content}')))"
