"""Two reports side by side."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from haplane.domain.reported import ShortText
from haplane.domain.validation import first_error
from haplane.drills.limits import shown
from haplane.errors import BadInput

REPORT_BYTES = 4 << 20
EMBEDDED = re.compile(r'<script type="application/json" id="report">(.*?)</script>', re.S)


class Measured(BaseModel):
    """One figure of a report; ``measured`` is None for what has not happened."""

    name: ShortText
    measured: float | None
    unit: ShortText = "s"

    @property
    def number(self) -> float:
        """What was measured; infinite for what has not happened."""
        return math.inf if self.measured is None else self.measured


class ReportFile(BaseModel):
    """What is compared of a report of any version; the rest is ignored."""

    drill: ShortText
    host: ShortText
    figures: Annotated[tuple[Measured, ...], Field(max_length=1000)]
    picture: dict[str, Any]


def read_report(path: Path) -> ReportFile:
    """What a report's JSON or HTML file holds. Raises BadInput for what is neither."""
    with path.open(encoding="utf-8", errors="replace") as file:
        text = file.read(REPORT_BYTES)
    if (embedded := EMBEDDED.search(text)) is not None:
        text = embedded[1]
    try:
        return ReportFile.model_validate_json(text)
    except ValidationError as error:
        raise BadInput(
            "not the report of one drill",
            where=str(path),
            why=first_error(error),
            next_step="name a .json or .html file that `haplane drill NAME INVENTORY --report DIR` wrote",
        ) from None


def compared(one: ReportFile, other: ReportFile) -> list[tuple[str, str, str, str]]:
    """Every figure of either: its name, the two values, and their difference where both have one."""
    rows = [("drill", f"{one.drill} {one.host}", f"{other.drill} {other.host}", "")]
    mine, theirs = ({figure.name: figure for figure in each.figures} for each in (one, other))
    return rows + [(name, *_row(mine.get(name), theirs.get(name))) for name in dict.fromkeys((*mine, *theirs))]


def _row(*pair: Measured | None) -> tuple[str, str, str]:
    numbers = [figure.number for figure in pair if figure is not None]
    unit = next((figure.unit for figure in pair if figure is not None), "")
    values = ["not measured" if figure is None else shown(figure.number, figure.unit) for figure in pair]
    return values[0], values[1], _difference(numbers, unit)


def _difference(numbers: Sequence[float], unit: str) -> str:
    if len(numbers) < 2 or not all(map(math.isfinite, numbers)):
        return ""
    return f"{numbers[1] - numbers[0]:+.{2 if unit else 0}f}"
