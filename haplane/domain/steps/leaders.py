"""Whether a scheduler and a controller manager lead, by the leases that masters report, by their clocks. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from haplane.domain.cluster_health import Lease
from haplane.domain.observed import HostReport, Observation
from haplane.domain.plan import Kind, Step

LEASE_SECONDS = 30.0
"""A lease is given up after 15 s, and somebody else has it within 5 s more."""


@dataclass(frozen=True)
class Leaderless:
    """A component that nobody leads: ``holder`` ("" where there is none) has not renewed it for ``seconds``."""

    component: str
    holder: str
    seconds: float


def leaderless(
    masters: Sequence[str], observation: Observation, offsets: Mapping[str, float]
) -> tuple[Leaderless, ...]:
    """``offsets`` are by how many seconds hosts' clocks are ahead. A majority of the masters' views counts."""
    found = []
    views = {name: observation.reports[name].workloads for name in masters if name in observation.reports}
    leases: dict[str, dict[str, Lease]] = {}
    for name, view in views.items():
        for component, lease in view.leases.items() if view else ():
            leases.setdefault(component, {})[name] = lease
    for component, seen in leases.items():
        ages = sorted((_age(lease, name, offsets, masters), lease.holder) for name, lease in seen.items())
        seconds, holder = ages[(len(ages) - 1) // 2]
        if seconds > LEASE_SECONDS:
            found.append(Leaderless(component, holder, seconds))
    return tuple(found)


def leader_steps(
    masters: Sequence[str], observation: Observation, offsets: Mapping[str, float], busy: Collection[str]
) -> list[Step]:
    """Restart what has run for long enough to lead; not on ``busy`` masters, where it is restarted anyway."""
    return [
        Step(Kind.LEAD, name, _why(one), (one.component,))
        for one in leaderless(masters, observation, offsets)
        for name in masters
        if name in observation.reports and name not in busy and _could_lead(one.component, observation.reports[name])
    ]


def _could_lead(component: str, report: HostReport) -> bool:
    """One that gets to no API server has that problem alone."""
    state = report.components.of.get(component)
    if state is None or state.unserved is not None or not state.started_at or not report.apiserver.ready:
        return False
    return report.started_at - state.started_at > LEASE_SECONDS


def _why(one: Leaderless) -> str:
    lease = f"{one.holder} does not renew its lease" if one.holder else "nothing holds its lease"
    return f"no {one.component} leads: {lease}"


def _age(lease: Lease, reader: str, offsets: Mapping[str, float], masters: Sequence[str]) -> float:
    """Seconds since the holder renewed it: the holder wrote when by its clock, the reader took the age by its own.

    A holder whose host is not known may be the one that is furthest behind.
    """
    if lease.age_seconds is None:
        return math.inf
    host = lease.holder.partition("_")[0]
    written = offsets.get(host, min([0.0, *(offsets.get(name, 0.0) for name in masters)]))
    return lease.age_seconds - offsets.get(reader, 0.0) + written
