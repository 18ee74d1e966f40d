"""What soaks have seen: each row in soak/NAME.jsonl, which git ignores, one line of docs/soak.md for each soak."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/soak.md"
BEGIN, END = "<!-- soaks -->", "<!-- end of soaks -->"
TITLES = "| soak | when | commit | outcome | worst |\n|---|---|---|---|---|"
UNDER_TEST = ("haplane", "templates")


@dataclass(frozen=True)
class Rows:
    """The rows of one soak, oldest first. Each has a ``case``."""

    name: str

    @property
    def _file(self) -> Path:
        return ROOT / f"soak/{self.name}.jsonl"

    def keep(self, row: dict[str, object]) -> None:
        """Add a row, with date and commit."""
        row = {**row, "date": now(), "commit": commit()}
        self._file.parent.mkdir(exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def kept(self) -> list[dict]:
        """Every row."""
        if not self._file.exists():
            return []
        return [json.loads(line) for line in self._file.read_text(encoding="utf-8").splitlines()]

    def rows(self) -> list[dict]:
        """The last row of each case."""
        return list({row["case"]: row for row in self.kept()}.values())


def write_line(soak: str, outcome: str, worst: str) -> None:
    """Replace the line of this soak in docs/soak.md, or add it."""
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    table, _, tail = rest.partition(END)
    lines = [line for line in table.strip().splitlines()[2:] if not line.startswith(f"| {soak} |")]
    cells = (soak, now(), commit(), outcome, worst)
    lines.append("| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |")
    PAGE.write_text("\n".join([head + BEGIN, TITLES, *sorted(lines), END]) + tail, encoding="utf-8")


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M}"


def commit() -> str:
    """The newest commit that touches what is under test, with a + when that has been changed since."""
    words = ["git", "log", "-1", "--format=%h", "--abbrev=10", "--", *UNDER_TEST]
    found = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *UNDER_TEST], cwd=ROOT, check=False).returncode
    return f"{found}+" if changed else found
