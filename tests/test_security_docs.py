"""Whatever docs/security.md says is shown by a test is a test that exists."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
NAMED = re.findall(
    r"`([\w/]+\.py)(?:::(\w+))?`", (TESTS.parent / "docs/security.md").read_text().partition("\n## ")[2]
)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_what_is_named_is_there(path, name):
    assert f"def {name}" in (TESTS / path).read_text() if name else (TESTS / path).is_file()
