"""Whether a scheduler and a controller manager lead: by the leases that masters report, each with its own clock."""

from __future__ import annotations

import math
from collections.abc import Mapping

from haplane.domain.cluster_health import Lease
from haplane.domain.observed import Observation
from haplane.domain.status.model import Roster, problem

LEASE_SECONDS = 30.0
"""A lease is given up after 15 s, and somebody else has it within 5 s more."""

EFFECTS = {"kube-scheduler": "new pods are not scheduled", "kube-controller-manager": "no controller acts"}


def leaderless(roster: Roster, observation: Observation, offsets: Mapping[str, float]) -> list[str]:
    """``offsets`` are by how many seconds hosts' clocks are ahead. A majority of the masters' views counts."""
    found = []
    views = {name: observation.reports[name].workloads for name in roster.masters if name in observation.reports}
    leases: dict[str, dict[str, Lease]] = {}
    for name, view in views.items():
        for component, lease in view.leases.items() if view else ():
            leases.setdefault(component, {})[name] = lease
    for component, seen in leases.items():
        ages = sorted((_age(lease, name, offsets, roster.masters), lease.holder) for name, lease in seen.items())
        age, holder = ages[(len(ages) - 1) // 2]
        if age > LEASE_SECONDS:
            why = f"{holder} has not renewed its lease for {age:.0f} s" if holder else None
            what = f"no {component} leads: {EFFECTS.get(component, 'it does nothing')}"
            found.append(problem(what, why=why, fix="`haplane up INVENTORY`"))
    return found


def _age(lease: Lease, reader: str, offsets: Mapping[str, float], masters: tuple[str, ...]) -> float:
    """Seconds since the holder renewed it: the holder wrote when by its clock, the reader took the age by its own.

    A holder whose host is not known may be the one that is furthest behind.
    """
    if not lease.holder or lease.age_seconds is None:
        return math.inf
    host = lease.holder.partition("_")[0]
    written = offsets.get(host, min([0.0, *(offsets.get(name, 0.0) for name in masters)]))
    return lease.age_seconds - offsets.get(reader, 0.0) + written
