"""Puts ``haplane status`` together from one observation. Pure.

It holds with hosts down, without quorum, and before ``up``: what nobody could tell is said to be unknown, never fine.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from haplane.domain.assessment import Recovery
from haplane.domain.clocks import Window
from haplane.domain.observed import Observation
from haplane.domain.problem import Problem, in_code
from haplane.domain.status.certificates import Certificates
from haplane.domain.status.condition import clock_notes, name_server_notes
from haplane.domain.status.cordons import cordon_notes
from haplane.domain.status.known import Known
from haplane.domain.status.model import ClusterStatus, Roster, Status
from haplane.domain.status.problems import problems_of
from haplane.domain.status.space import drop_in_notes
from haplane.errors import with_inventory


def summarise(
    roster: Roster,
    observation: Observation,
    *,
    endpoint_answers: bool,
    certificates: Certificates,
    now: datetime,
    window: Window | None = None,
) -> Status:
    """The arguments are those of :class:`Known`."""
    known = Known(roster, observation, certificates, endpoint_answers, now, window)
    problems = problems_of(known)
    return Status(
        cluster=ClusterStatus(
            name=roster.cluster,
            endpoint=roster.endpoint,
            kubernetes_version=roster.kubernetes_version,
            uid=known.kubernetes.uid if known.kubernetes else None,
        ),
        healthy=not problems,
        problems=problems,
        masters=known.masters,
        workers=known.workers,
        etcd=known.etcd,
        load_balancers=known.balancers,
        snapshots=known.snapshots,
        recovery=_fitted(known),
        certificates=certificates,
        notes=_notes(known),
    )


def _notes(known: Known) -> tuple[str, ...]:
    roster, observation = known.roster, known.observation
    found = (
        *(known.other_version.notes if known.other_version else ()),
        *drop_in_notes(roster, observation),
        *cordon_notes(roster, known.kubernetes),
        *clock_notes(observation),
        *name_server_notes(observation),
    )
    return tuple(with_inventory(one, roster.inventory) for one in found)


def _fitted(known: Known) -> Recovery:
    command = in_code(known.recovery.command)
    fitted = with_inventory(known.fitted(command), known.roster.inventory)
    return known.recovery if fitted == command else replace(known.recovery, command=fitted)


def passing_problems(status: Status, unreachable: Collection[str]) -> tuple[Problem, ...]:
    """Those that waiting may end while these hosts are unreachable."""
    return tuple(one for one in status.problems if one.passes_without(unreachable))
