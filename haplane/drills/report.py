"""What a drill found, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from haplane.drills.story import Fault, Story
from haplane.drills.timeline import IN_CLUSTER_KINDS, Request, Service, acknowledged_writes, service


@dataclass(frozen=True)
class Watched:
    """Everything seen during a drill: at the endpoint, inside the cluster, and when the fault was applied and undone
    and the cluster healthy again, in seconds of this machine's monotonic clock.
    """

    requests: Sequence[Request]
    in_cluster: Sequence[Request]
    faulted: float
    restored: float
    healthy: float


@dataclass(frozen=True)
class Report:
    """``reads`` and ``writes`` cover the fault until it was undone; ``..._at_return`` from then to the end.

    ``in_cluster`` holds ``service`` and ``dns`` as a pod on a surviving master saw them, when that was asked for.
    ``healthy_again_seconds`` counts from undoing the fault until the whole cluster was healthy.
    """

    drill: str
    host: str
    role: str
    reads: Service
    writes: Service
    reads_at_return: Service
    writes_at_return: Service
    in_cluster: dict[str, Service]
    acknowledged_writes: int
    lost_writes: tuple[int, ...]
    healthy_again_seconds: float

    @property
    def passed(self) -> bool:
        """No acknowledged write lost, and every gap ended."""
        spans = (self.reads, self.writes, self.reads_at_return, self.writes_at_return)
        return not self.lost_writes and all(span.recovered for span in spans)

    def document(self) -> dict[str, Any]:
        """The report as ``--json`` prints it; times in seconds."""
        return asdict(self) | {"lost_writes": list(self.lost_writes), "passed": self.passed}

    def rows(self) -> list[tuple[str, str]]:
        """The report as a table of two columns."""
        return [
            ("longest gap in reads", _gap(self.reads)),
            ("longest gap in writes", _gap(self.writes)),
            ("reads while it came back", _gap(self.reads_at_return)),
            ("writes while it came back", _gap(self.writes_at_return)),
            *((f"{kind} as seen from a pod", _gap(span)) for kind, span in self.in_cluster.items()),
            ("healthy again after", f"{self.healthy_again_seconds:.1f} s"),
            ("acknowledged writes", f"{self.acknowledged_writes}"),
            ("of these lost", f"{len(self.lost_writes)}"),
        ]


def summarise(story: Story, fault: Fault, watched: Watched, lost: tuple[int, ...]) -> Report:
    """Judge what was seen from the fault on; what came before was only the proof of a steady start.

    The in-cluster prober's times are another machine's, so that one is judged as a whole.
    """
    requests, faulted, restored = watched.requests, watched.faulted, watched.restored
    return Report(
        drill=story.name,
        host=fault.host,
        role=fault.role,
        reads=service(requests, "read", since=faulted, until=restored),
        writes=service(requests, "write", since=faulted, until=restored),
        reads_at_return=service(requests, "read", since=restored),
        writes_at_return=service(requests, "write", since=restored),
        in_cluster={kind: service(watched.in_cluster, kind) for kind in IN_CLUSTER_KINDS if watched.in_cluster},
        acknowledged_writes=len(acknowledged_writes(requests)),
        lost_writes=lost,
        healthy_again_seconds=watched.healthy - restored,
    )


def _gap(span: Service) -> str:
    words = f"{span.gap_seconds:.2f} s  ({span.failed} of {span.requests} requests failed)"
    return words if span.recovered else f"{words}, not recovered"
