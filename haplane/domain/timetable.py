"""How long steps of an upgrade took: what a run notes in its log, and what the next one's plan shows of it. Pure.

No length is made up: a step that no log of this cluster has is shown without one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from haplane.domain.plan import Kind, Plan

Took = Mapping[Kind, Sequence[float]]
"""By kind, the seconds that each such step took before."""

TOGETHER = (Kind.STAGE, Kind.SNAPSHOT)
"""Steps that are timed once, for all hosts; the others are one host's after the other's."""

DONE = re.compile(r"^[\d-]{10} [\d:.]+Z  [\w. -]+: done: (.+) \((\d{1,6}) s\)$", re.ASCII)
"""After its time, as a log has it: what a host printed stands indented below such a line."""
KINDS = {kind.value: kind for kind in Kind}


def done(kind: Kind, seconds: float) -> str:
    """The line that :func:`took` reads."""
    return f"done: {kind.value} ({seconds:.0f} s)"


def took(lines: Iterable[str]) -> dict[Kind, list[float]]:
    """From the lines of logs."""
    found: dict[Kind, list[float]] = {}
    for line in lines:
        match = DONE.match(line.rstrip("\n"))
        if match and match[1] in KINDS:
            found.setdefault(KINDS[match[1]], []).append(float(match[2]))
    return found


def length(kind: Kind, before: Took) -> str:
    """The end of a step's reason; empty where no step of that kind was timed."""
    if not before.get(kind):
        return ""
    each = "" if kind in TOGETHER else " each"
    return f"; takes about {median(before[kind]):.0f} s{each}, the median of {len(before[kind])}"


def total(plan: Plan, before: Took) -> str:
    """A line about all steps that were timed before; or that none was."""
    timed = {kind: len(plan.hosts(kind)) for kind in before if before[kind] and plan.of(kind)}
    if not timed:
        return "how long steps take is not known: no log of this workstation has an upgrade of this cluster"
    seconds = sum(median(before[kind]) * (1 if kind in TOGETHER else hosts) for kind, hosts in timed.items())
    logs = "the logs that this workstation has of this cluster's upgrades"
    return f"steps with a length take about {seconds:.0f} s in all, by {logs}"
