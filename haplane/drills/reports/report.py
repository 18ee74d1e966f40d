"""What a drill found, for people and for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import haplane
from haplane.drills.drill import Drill, DrillContext, Fault
from haplane.drills.limits import Figure, Limits, limits_of
from haplane.drills.probing.lanes import Lane, Segment, State, etcd_versions, lanes, leader_changes
from haplane.drills.probing.timeline import (
    ENDPOINT_KINDS,
    IN_CLUSTER_KINDS,
    Request,
    Service,
    acknowledged_writes,
    service,
    slices,
    stale_reads,
)

LATE_SECONDS = 0.5
"""How late the prober may be before its gaps are its own."""


@dataclass(frozen=True)
class Watched:
    """Everything seen during a drill: at the endpoint, inside the cluster, of the cluster's parts, and when the fault
    was applied and undone, the cluster healthy again and the watching over, in seconds of the controller's monotonic
    clock. ``steady``: in the end there were some seconds without a failure. ``served``: so there were with the fault
    in place, where the cluster is to serve meanwhile.
    """

    requests: Sequence[Request]
    in_cluster: Sequence[Request]
    states: Sequence[State]
    faulted: float
    restored: float
    healthy: float
    ended: float
    steady: bool = True
    served: bool = True


@dataclass(frozen=True)
class Picture:
    """The timeline: seconds from the fault, which is 0; what came before is negative."""

    begin: float
    end: float
    undone: float
    healthy: float
    lanes: tuple[Lane, ...]


@dataclass(frozen=True)
class HostShown:
    """A host as the report shows it."""

    name: str
    address: str
    roles: tuple[str, ...]


@dataclass(frozen=True)
class About:
    """Where a drill was run, and the command that runs it again.

    ``prober_late_seconds``: the prober's own worst delay in sending.
    """

    cluster: str
    endpoint: str
    haplane: str
    kubernetes: str
    etcd: str
    driver: str
    hosts: tuple[HostShown, ...]
    command: str
    prober_late_seconds: float


@dataclass(frozen=True)
class Report:
    """``reads`` and ``writes`` cover the fault until it was undone; ``..._at_return`` from then to the end.

    ``in_cluster`` holds ``service`` and ``dns`` as a pod on a surviving master saw them, when that was asked for.
    ``fault_seconds`` is how long the fault lasted, ``healthy_again_seconds`` counts from undoing it until the whole
    cluster was healthy. ``began`` is ISO 8601.
    """

    drill: str
    host: str
    role: str
    announcement: str
    began: str
    reads: Service
    writes: Service
    reads_at_return: Service
    writes_at_return: Service
    in_cluster: dict[str, Service]
    acknowledged_writes: int
    lost_writes: tuple[int, ...]
    stale_reads: int
    fault_seconds: float
    healthy_again_seconds: float
    leader_changes: int
    steady: bool
    served: bool
    figures: tuple[Figure, ...]
    picture: Picture
    about: About

    @property
    def too_busy(self) -> str:
        """Why the figures say little: the machine that measured was late itself. Empty when it was not."""
        late = self.about.prober_late_seconds
        return f"too busy to measure: the prober sent requests up to {late:.1f} s late" if late > LATE_SECONDS else ""

    @property
    def passed(self) -> bool:
        """Every figure within its limit, every gap ended, steady service meanwhile and in the end, and no doubt."""
        return not self.missed

    @property
    def missed(self) -> tuple[str, ...]:
        """What keeps it from having passed, each in words."""
        over = (f"{one.name}: {one.shown}, limit {one.shown_limit}" for one in self.figures if not one.held)
        return (*over, *self.missed_besides)

    @property
    def missed_besides(self) -> tuple[str, ...]:
        """The same without the figures that are over their limits."""
        return (
            *(f"{name} did not recover" for name, span in self._spans().items() if not span.recovered),
            *([] if self.served else ["never 5 s without a failed request while the fault was in place"]),
            *([] if self.steady else ["never 5 s without a failed request at the end"]),
            *([self.too_busy] if self.too_busy else []),
        )

    @property
    def verdict(self) -> str:
        """In a few words, for a heading."""
        if self.missed == (self.too_busy,):
            return "too busy to measure"
        return "all limits held" if self.passed else "NOT within its limits"

    def _spans(self) -> dict[str, Service]:
        return {
            "reads": self.reads,
            "writes": self.writes,
            "reads after the undo": self.reads_at_return,
            "writes after the undo": self.writes_at_return,
            **{f"{kind} as seen from a pod": span for kind, span in self.in_cluster.items()},
        }

    def document(self) -> dict[str, Any]:
        """The report as ``--json`` prints it; times in seconds, None for what has not happened."""
        figures = [
            asdict(one) | {"measured": one.measured if math.isfinite(one.measured) else None, "held": one.held}
            for one in self.figures
        ]
        return asdict(self) | {"lost_writes": list(self.lost_writes), "figures": figures, "passed": self.passed}

    def rows(self) -> list[tuple[str, str, str]]:
        """The report as a table: figure, measured, limit."""
        return [
            *((f"longest gap in {name}", _gap(span), "") for name, span in self._spans().items()),
            *((figure.name, figure.shown, _limit(figure)) for figure in self.figures),
            *(("not passed", why, "") for why in self.missed_besides),
        ]


def summarise(
    context: DrillContext, drill: Drill, fault: Fault, watched: Watched, *, lost: tuple[int, ...], began: datetime
) -> Report:
    """Evaluate what was seen from the fault on; what came before only proved a steady start.

    The in-cluster prober's times are by another host's clock, so that one is evaluated as a whole.
    """
    requests, faulted, restored = watched.requests, watched.faulted, watched.restored
    limits = limits_of(context.inventory, drill.name, drill.limits)
    spans = {
        "reads": service(requests, "read", since=faulted, until=restored),
        "writes": service(requests, "write", since=faulted, until=restored),
        "reads_at_return": service(requests, "read", since=restored),
        "writes_at_return": service(requests, "write", since=restored),
    }
    seen = lanes(watched.states, watched.ended)
    stale = stale_reads(requests)
    return Report(
        drill=drill.name,
        host=fault.host,
        role=fault.role,
        announcement=fault.announcement,
        began=began.isoformat(timespec="seconds"),
        **spans,
        in_cluster={kind: service(watched.in_cluster, kind) for kind in IN_CLUSTER_KINDS if watched.in_cluster},
        acknowledged_writes=len(acknowledged_writes(requests)),
        lost_writes=lost,
        stale_reads=stale,
        fault_seconds=restored - faulted,
        healthy_again_seconds=watched.healthy - restored,
        leader_changes=leader_changes(seen),
        steady=watched.steady,
        served=watched.served,
        figures=(
            *_figures(spans, limits, lost=len(lost), stale=stale, healthy_again=watched.healthy - restored),
            *fault.measured(),
        ),
        picture=_picture(watched, seen),
        about=_about(context, drill, watched),
    )


def _about(context: DrillContext, drill: Drill, watched: Watched) -> About:
    inventory = context.inventory
    return About(
        cluster=inventory.cluster.name,
        endpoint=str(inventory.cluster.endpoint),
        haplane=haplane.__version__,
        kubernetes=inventory.cluster.kubernetes_version,
        etcd=", ".join(etcd_versions(watched.states)),
        driver=context.machines.driver,
        hosts=tuple(HostShown(host.name, str(host.address), inventory.roles(host)) for host in inventory.hosts),
        command=f"haplane drill {drill.name} {inventory.path}",
        prober_late_seconds=max((one.sent - one.scheduled for one in watched.requests), default=0.0),
    )


def _figures(
    spans: Mapping[str, Service], limits: Limits, *, lost: int, stale: int, healthy_again: float
) -> tuple[Figure, ...]:
    read, write = (
        max(spans[kind].gap_seconds, spans[f"{kind}_at_return"].gap_seconds) for kind in ("reads", "writes")
    )
    return (
        Figure("longest gap in reads", read, limits.read_gap),
        Figure("longest gap in writes", write, limits.write_gap),
        Figure("failed requests", sum(span.failed for span in spans.values()), limits.failed_requests, ""),
        Figure("acknowledged writes lost", lost, limits.lost_writes, ""),
        Figure("stale reads", stale, 0, ""),
        Figure("cluster healthy again after", healthy_again, limits.healthy_again),
    )


def _picture(watched: Watched, seen: Sequence[Lane]) -> Picture:
    """Everything in seconds from the fault, from 3 s before it."""
    zero, begin = watched.faulted, -3.0
    every = [
        *(Lane(f"{kind}s", slices(watched.requests, kind)) for kind in ENDPOINT_KINDS),
        *seen,
    ]
    return Picture(
        begin=begin,
        end=watched.ended - zero,
        undone=watched.restored - zero,
        healthy=watched.healthy - zero,
        lanes=tuple(Lane(lane.name, _since(lane.segments, zero, begin)) for lane in every),
    )


def _since(segments: Sequence[Segment], zero: float, begin: float) -> tuple[Segment, ...]:
    moved = (
        Segment(round(max(begin, one.begin - zero), 3), round(one.end - zero, 3), one.value, one.good)
        for one in segments
        if one.end - zero > begin
    )
    return tuple(moved)


def _limit(figure: Figure) -> str:
    return f"limit {figure.shown_limit}: {'held' if figure.held else 'NOT held'}" if figure.shown_limit else ""


def _gap(span: Service) -> str:
    words = f"{span.gap_seconds:.2f} s  ({span.failed} of {span.requests} requests failed)"
    return words if span.recovered else f"{words}, did not recover"
