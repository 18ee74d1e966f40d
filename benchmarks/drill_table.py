"""The table of docs/drills.md from reports: median and worst of every figure, by drill.

.venv/bin/python benchmarks/drill_table.py REPORT.json ...
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

COLUMNS = {
    "longest gap in reads": "reads, s",
    "longest gap in writes": "writes, s",
    "cluster healthy again after": "healthy again, s",
}
FATES = (
    "pod deleted after",
    "pod gone after",
    "serving again after",
    "ready again after",
    "restarts",
    "empty directories kept",
)
COUNTS = {"acknowledged writes lost": "lost", "stale reads": "stale"}


def main() -> None:
    by_drill: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in sys.argv[1:]:
        report = json.loads(Path(path).read_text())
        by_drill[report["drill"]].append(report)
    print(f"| drill | runs | {' | '.join(COLUMNS.values())} | {' | '.join(COUNTS.values())} | limits held |")
    print("|" + "---|" * (3 + len(COLUMNS) + len(COUNTS)))
    for drill, reports in sorted(by_drill.items()):
        cells = [drill, str(len(reports))]
        cells += [median_and_worst(found) for found in map(of(reports), COLUMNS)]
        cells += [f"{sum(found):.0f}" for found in map(of(reports), COUNTS)]
        cells.append(f"{sum(report['passed'] for report in reports)} of {len(reports)}")
        print(f"| `{cells[0]}` | {' | '.join(cells[1:])} |")
    for drill, reports in sorted(by_drill.items()):
        print_pods(drill, [fates_of(report) for report in reports])
    acknowledged = sum(report["acknowledged_writes"] for found in by_drill.values() for report in found)
    late = max(report["about"]["prober_late_seconds"] for found in by_drill.values() for report in found)
    print(f"\n{acknowledged:,} acknowledged writes in all. The prober was at most {late:.2f} s late.")


def print_pods(drill: str, seen: list[dict[tuple[str, str], str]]) -> None:
    """What became of each kind's pod, where the drill has any; of several runs one after the other."""
    fates = [fate for fate in FATES if any(fate == one for found in seen for _, one in found)]
    if fates:
        print(f"\n| `{drill}`, pod of a | {' | '.join(fates)} |\n|{'---|' * (1 + len(fates))}")
    for kind in dict.fromkeys(kind for found in seen for kind, _ in found):
        cells = [" / ".join(found[kind, fate] for found in seen if (kind, fate) in found) for fate in fates]
        print(f"| {kind} | {' | '.join(cell or '-' for cell in cells)} |")


def fates_of(report: dict[str, Any]) -> dict[tuple[str, str], str]:
    """What the report shows of each kind's pod, by kind and FATES."""
    named = [(one["name"].partition(": "), one) for one in report["figures"]]
    return {
        (kind, fate): one["words"] or ("never" if one["measured"] is None else f"{one['measured']:.0f} s")
        for (kind, _, fate), one in named
        if fate in FATES
    }


def median_and_worst(found: list[float]) -> str:
    return f"{statistics.median(found):.2f} / {max(found):.2f}" if found else "-"


def of(reports: list[dict[str, Any]]):
    return lambda name: [one["measured"] for report in reports for one in report["figures"] if one["name"] == name]


if __name__ == "__main__":
    main()
