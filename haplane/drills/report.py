"""What a drill found, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from haplane.drills.timeline import Request, Service, acknowledged_writes, service


@dataclass(frozen=True)
class Moments:
    """When the fault was applied, when it was undone, and when all was healthy again; monotonic seconds."""

    faulted: float
    restored: float
    healthy: float


@dataclass(frozen=True)
class Report:
    """``reads`` and ``writes`` cover the fault until it was undone; ``..._at_return`` from then to the end.

    ``healthy_again_seconds`` counts from undoing the fault until the whole cluster was healthy.
    """

    drill: str
    host: str
    reads: Service
    writes: Service
    reads_at_return: Service
    writes_at_return: Service
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
            ("healthy again after", f"{self.healthy_again_seconds:.1f} s"),
            ("acknowledged writes", f"{self.acknowledged_writes}"),
            ("of these lost", f"{len(self.lost_writes)}"),
        ]


def summarise(drill: str, host: str, requests: Sequence[Request], lost: tuple[int, ...], moments: Moments) -> Report:
    """Judge what the probes saw from the fault on; what came before it was only the proof of a steady start."""
    return Report(
        drill=drill,
        host=host,
        reads=service(requests, "read", since=moments.faulted, until=moments.restored),
        writes=service(requests, "write", since=moments.faulted, until=moments.restored),
        reads_at_return=service(requests, "read", since=moments.restored),
        writes_at_return=service(requests, "write", since=moments.restored),
        acknowledged_writes=len(acknowledged_writes(requests)),
        lost_writes=lost,
        healthy_again_seconds=moments.healthy - moments.restored,
    )


def _gap(span: Service) -> str:
    words = f"{span.gap_seconds:.2f} s  ({span.failed} of {span.requests} requests failed)"
    return words if span.recovered else f"{words}, not recovered"
