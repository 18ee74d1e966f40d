"""What the probes measured, evaluated. Pure: requests in, seconds and counts out.

The definition this file holds: **a gap lasts from the send time of the first request that was not answered 2xx
within its deadline to the next success.** Requests are taken in the order they were sent, kinds apart; the next
success is the first successful request sent after the failed ones, and it counts from the moment its answer was
complete. Nothing is rounded, averaged or forgiven, and a gap that never ended is a gap.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Literal

from haplane.drills.probing.lanes import Segment
from haplane.errors import HaplaneError

Kind = Literal["read", "write", "service", "dns"]
ENDPOINT_KINDS: tuple[Kind, ...] = ("read", "write")
NOT_FOUND = 404
SLOW_SECONDS = 0.5
IN_CLUSTER_KINDS: tuple[Kind, ...] = ("service", "dns")


@dataclass(frozen=True, slots=True)
class Request:
    """One request. All times are seconds of the monotonic clock, the same in every process of one host.

    ``number`` counts the requests of a kind from 0; ``ok`` means answered 2xx, whole, within the deadline.
    """

    kind: Kind
    number: int
    scheduled: float
    sent: float
    done: float
    ok: bool
    status: int | None = None
    error: str | None = None

    def to_line(self) -> str:
        """One line of JSON, with its newline."""
        return json.dumps(asdict(self), separators=(",", ":")) + "\n"


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without service; ``ended`` is None when no later request succeeded."""

    began: float
    ended: float | None
    last_seen: float
    failed: int

    @property
    def seconds(self) -> float:
        """How long it lasted; for one that never ended, how long it was watched."""
        return (self.last_seen if self.ended is None else self.ended) - self.began


@dataclass(frozen=True, slots=True)
class Service:
    """One kind of request over one span of time.

    ``gap_seconds`` is the longest gap; ``disturbed_seconds`` goes from the first failure to the end of the last gap,
    however much succeeded between; ``late_seconds`` is the prober's own worst delay in sending; ``failures`` counts
    the reasons of failed requests, the most frequent first.
    """

    requests: int
    failed: int
    gap_seconds: float
    gaps: int
    disturbed_seconds: float
    recovered: bool
    late_seconds: float
    failures: dict[str, int]


def parse(lines: Iterable[str]) -> list[Request]:
    """What a prober has written, a request a line. Raises HaplaneError for a line that is something else."""
    requests = []
    for line in lines:
        try:
            requests.append(Request(**json.loads(line)))
        except (ValueError, TypeError, RecursionError) as error:
            raise HaplaneError(
                "a prober wrote a line that is not a request", where=line[:120], why=str(error)
            ) from None
    return requests


def of_kind(requests: Iterable[Request], kind: Kind) -> list[Request]:
    """Requests of one kind in the order they were sent."""
    return sorted((request for request in requests if request.kind == kind), key=lambda request: request.sent)


def gaps(requests: Sequence[Request]) -> list[Gap]:
    """The gaps in requests of one kind, which must be in the order they were sent."""
    found: list[Gap] = []
    run: list[Request] = []
    for request in requests:
        if not request.ok:
            run.append(request)
        elif run:
            found.append(_gap(run, request.done))
            run = []
    if run:
        found.append(_gap(run, None))
    return found


def _gap(run: Sequence[Request], ended: float | None) -> Gap:
    return Gap(began=run[0].sent, ended=ended, last_seen=max(request.done for request in run), failed=len(run))


def service(requests: Iterable[Request], kind: Kind, *, since: float = 0.0, until: float | None = None) -> Service:
    """How one kind fared among the requests under way in [since, until): sent before its end, done after its start.

    So a request in flight when the fault struck counts, and so does the gap that it begins.
    """
    watched = of_kind(requests, kind)
    inside = [request for request in watched if request.done >= since and (until is None or request.sent < until)]
    begun = [
        gap
        for gap in gaps(watched)
        if (gap.ended is None or gap.ended >= since) and (until is None or gap.began < until)
    ]
    return Service(
        requests=len(inside),
        failed=sum(not request.ok for request in inside),
        gap_seconds=max((gap.seconds for gap in begun), default=0.0),
        gaps=len(begun),
        disturbed_seconds=begun[-1].began + begun[-1].seconds - begun[0].began if begun else 0.0,
        recovered=all(gap.ended is not None for gap in begun),
        late_seconds=max((request.sent - request.scheduled for request in inside), default=0.0),
        failures=dict(Counter(_failure(request) for request in inside if not request.ok).most_common(10)),
    )


def _failure(request: Request) -> str:
    error = request.error or ""
    return error if request.status is None else f"{request.status} {error[:60]}".strip()


def steady_seconds(requests: Iterable[Request]) -> float:
    """For how long, up to the last answer, every kind has been answered without a failure."""
    every = list(requests)
    return min(_steady(of_kind(every, kind)) for kind in ENDPOINT_KINDS)


def _steady(requests: Sequence[Request]) -> float:
    failures = [request.sent for request in requests if not request.ok]
    successes = [request.sent for request in requests if request.ok]
    if not successes:
        return 0.0
    return max(0.0, max(successes) - max(failures, default=min(successes)))


def acknowledged_writes(requests: Iterable[Request]) -> frozenset[int]:
    """The numbers of the writes that the cluster acknowledged."""
    return frozenset(request.number for request in requests if request.kind == "write" and request.ok)


def stale_reads(requests: Iterable[Request]) -> int:
    """How many reads were answered from before the last write that had been acknowledged when they were sent."""
    return sum(request.kind == "read" and request.status == NOT_FOUND for request in requests)


def slices(requests: Iterable[Request], kind: Kind, seconds: float = 0.25) -> tuple[Segment, ...]:
    """One kind of request by slices of time: ``ok``, ``slow`` (one took over half a second), or how many failed.

    Neighbours of one value are one segment.
    """
    found: list[Segment] = []
    for number, group in groupby(of_kind(requests, kind), key=lambda request: int(request.sent / seconds)):
        inside = list(group)
        failed = sum(not request.ok for request in inside)
        slow = any(request.done - request.sent > SLOW_SECONDS for request in inside)
        value = "none succeeded" if failed == len(inside) else "some failed" if failed else "slow" if slow else "ok"
        begin = number * seconds
        if found and found[-1].value == value:
            begin = found.pop().begin
        found.append(Segment(begin, (number + 1) * seconds, value, failed == 0))
    return tuple(found)
