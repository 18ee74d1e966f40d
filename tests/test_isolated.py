"""Python runs on hosts as root: without the working directory, user packages or PYTHON* settings."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
CALL = re.compile(r"""python3(?:"?,? ?"?|' ?)(-\w+)""")


def test_every_python_on_a_host_is_isolated():
    found = []
    for path in [*(ROOT / "haplane").rglob("*"), *(ROOT / "templates").rglob("*")]:
        if path.suffix in {".py", ".sh", ".j2"} and path.is_file():
            found += [(path.name, option) for option in CALL.findall(path.read_text(encoding="utf-8"))]
    assert len(found) > 15
    assert [call for call in found if call[1] != "-I"] == []
