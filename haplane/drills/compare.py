"""Two reports side by side."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from haplane.errors import BadInput

REPORT_BYTES = 4 << 20
EMBEDDED = re.compile(r'<script type="application/json" id="report">(.*?)</script>', re.S)


def read_report(path: Path) -> dict[str, Any]:
    """The document of a report's JSON or HTML file. Raises BadInput for what is neither."""
    with path.open(encoding="utf-8", errors="replace") as file:
        text = file.read(REPORT_BYTES)
    if (embedded := EMBEDDED.search(text)) is not None:
        text = embedded[1]
    try:
        found = json.loads(text)
        if not all(key in found for key in ("drill", "figures", "picture")):
            raise ValueError("it has no figures")
    except (ValueError, TypeError) as error:
        raise BadInput("not the report of one drill", where=str(path), why=str(error)) from None
    return dict(found)


def compared(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Every figure of both: its name, the two values, and their difference."""
    rows = [("drill", f"{one['drill']} {one['host']}", f"{other['drill']} {other['host']}", "")]
    theirs = {figure["name"]: figure for figure in other["figures"]}
    for figure in one["figures"]:
        if (its := theirs.get(figure["name"])) is not None:
            pair = figure["measured"], its["measured"]
            digits = 2 if figure["unit"] else 0
            rows.append(
                (figure["name"], *(f"{value:.{digits}f}" for value in pair), f"{pair[1] - pair[0]:+.{digits}f}")
            )
    return rows
