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
    """A component that nobody leads: ``holder`` ("" where there is none) has not renewed it for ``seconds``.

    Less than 0: its lease says that it was renewed in the future, so no other takes it.
    """

    component: str
    holder: str
    seconds: float

    @property
    def why(self) -> str | None:
        """None where nothing holds the lease."""
        if not self.holder:
            return None
        if self.seconds < 0:
            return f"{self.holder} holds its lease, which is dated {-self.seconds:.0f} s in the future"
        return f"{self.holder} has not renewed its lease for {self.seconds:.0f} s"


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
        if not -LEASE_SECONDS <= seconds <= LEASE_SECONDS:
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
    return f"no {one.component} leads: {one.why or 'nothing holds its lease'}"


def _age(lease: Lease, reader: str, offsets: Mapping[str, float], masters: Sequence[str]) -> float:
    """Seconds since the holder renewed it: the holder wrote when by its clock, the reader took the age by its own.

    A holder whose host is not known may be as far behind, or ahead, as any master: what is nearest to now counts.
    """
    if lease.age_seconds is None:
        return math.inf
    host = lease.holder.partition("_")[0]
    clocks = [offsets[host]] if host in offsets else [0.0, *(offsets.get(name, 0.0) for name in masters)]
    age = lease.age_seconds - offsets.get(reader, 0.0)
    return max(age + min(clocks), min(age + max(clocks), 0.0))
