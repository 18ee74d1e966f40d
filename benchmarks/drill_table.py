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
    acknowledged = sum(report["acknowledged_writes"] for found in by_drill.values() for report in found)
    late = max(report["about"]["prober_late_seconds"] for found in by_drill.values() for report in found)
    print(f"\n{acknowledged:,} acknowledged writes in all. The prober was at most {late:.2f} s late.")


def median_and_worst(found: list[float]) -> str:
    return f"{statistics.median(found):.2f} / {max(found):.2f}" if found else "-"


def of(reports: list[dict[str, Any]]):
    return lambda name: [one["measured"] for report in reports for one in report["figures"] if one["name"] == name]


if __name__ == "__main__":
    main()
