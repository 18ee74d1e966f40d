"""What soaks have seen: a row each in docs/soak-NAME.jsonl, the last one of each case as a table in docs/soak.md."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/soak.md"
UNDER_TEST = ("haplane", "templates")


@dataclass(frozen=True)
class Table:
    """``columns``: of the table, by the name that rows have them under."""

    name: str
    columns: dict[str, str]

    @property
    def _file(self) -> Path:
        return ROOT / f"docs/soak-{self.name}.jsonl"

    def keep(self, row: dict[str, object]) -> None:
        """Add a row, which has a ``case``, with date and commit."""
        row = {**row, "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "commit": commit()}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def kept(self) -> list[dict]:
        """Every row, the oldest first."""
        if not self._file.exists():
            return []
        return [json.loads(line) for line in self._file.read_text(encoding="utf-8").splitlines()]

    def rows(self) -> list[dict]:
        """The last row of each case."""
        return list({row["case"]: row for row in self.kept()}.values())

    def write(self, summary: Sequence[str] = (), rows: Sequence[dict] | None = None) -> None:
        """Replace the part of docs/soak.md between this table's marks."""
        begin, end = f"<!-- soak-{self.name} -->", f"<!-- end of soak-{self.name} -->"
        head, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
        _, _, tail = rest.partition(end)
        titles = f"| {' | '.join(self.columns.values())} |\n|{'---|' * len(self.columns)}"
        lines = [self._line(row) for row in (self.rows() if rows is None else rows)]
        PAGE.write_text("\n".join([head + begin, *summary, titles, *lines, end]) + tail, encoding="utf-8")

    def _line(self, row: dict) -> str:
        cells = (str(row.get(name, "")).partition("\n")[0][:120].replace("|", "/") for name in self.columns)
        return f"| {' | '.join(cells)} |"


def commit() -> str:
    """The newest commit that touches what is under test, with a + when that has been changed since."""
    words = ["git", "log", "-1", "--format=%h", "--abbrev=10", "--", *UNDER_TEST]
    found = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *UNDER_TEST], cwd=ROOT, check=False).returncode
    return f"{found}+" if changed else found
