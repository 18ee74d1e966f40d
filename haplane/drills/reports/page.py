"""A drill's report as one HTML file that refers to nothing outside of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from haplane.drills.limits import Figure
from haplane.drills.reports.picture import timeline
from haplane.drills.reports.report import Report
from haplane.render import render


def page(report: Report) -> str:
    """The file's text."""
    return render(
        "pages/drill.html.j2",
        report=report,
        began=f"{datetime.fromisoformat(report.began):%Y-%m-%d %H:%M:%S %Z}",
        sentences=meaning(report),
        spans={
            "reads with the fault in place": report.reads,
            "writes with the fault in place": report.writes,
            "reads after the undo": report.reads_at_return,
            "writes after the undo": report.writes_at_return,
            **{f"{kind}, from a pod": span for kind, span in report.in_cluster.items()},
        },
        pictures=[timeline(report.picture, narrow=narrow) for narrow in (False, True)],
        # In a script element only "</" could end it early; a "<" never needs to be written as itself in JSON.
        document=json.dumps(report.document()).replace("<", "\\u003c"),
    )


def index(reports: Sequence[tuple[str, Report]]) -> str:
    """A table of several reports, with links to their files beside it."""
    rows = [(file, report, {one.name: one.shown for one in report.figures}) for file, report in reports]
    common = [one.name for one in reports[0][1].figures if all(one.name in measured for _, _, measured in rows)]
    return render("pages/drills.html.j2", rows=rows, names=common)


def meaning(report: Report) -> tuple[str, str, str]:
    """What happened, what clients noticed, and whether anything was lost."""
    read, write = (_measured(report, f"longest gap in {kind}") for kind in ("reads", "writes"))
    failed = _measured(report, "failed requests")
    spans = (report.reads, report.writes, report.reads_at_return, report.writes_at_return)
    requests = sum(span.requests for span in spans)
    happened = f"{report.announcement.rstrip('.')}; that took {report.fault_seconds:.1f} s."
    if failed == 0:
        noticed = f"None of {requests} requests failed."
    else:
        noticed = (
            f"Clients of the endpoint went without an answered read for at most {read:.2f} s and "
            f"without an answered write for at most {write:.2f} s; {failed:.0f} of {requests} requests failed."
        )
    lost, stale = len(report.lost_writes), report.stale_reads
    safe = (
        f"All {report.acknowledged_writes} acknowledged writes"
        if not lost
        else f"{lost} acknowledged writes were LOST"
    )
    safe += " could be read back afterwards" if not lost else ""
    safe += (
        ", and no read was older than the last acknowledged write" if not stale else f", and {stale} reads were STALE"
    )
    return (
        happened,
        noticed,
        f"{safe}; the whole cluster was healthy {report.healthy_again_seconds:.1f} s after the undo.",
    )


def _measured(report: Report, name: str) -> float:
    found: dict[str, Figure] = {figure.name: figure for figure in report.figures}
    return found[name].measured
