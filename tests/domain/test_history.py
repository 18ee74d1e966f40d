"""One snapshot is the latest, whatever one clock or one member says."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from haplane.domain.assessment import BUMP, REACHABLE
from haplane.domain.history import CLOCK_TOLERANCE, HIGHEST_REVISION, contradicted, latest, why_not_yet

MOST_REPORTED = 1 << 53
"""haplane.domain.names.Revision"""

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Point:
    taken_at: datetime
    revision: int
    member: str = "m1"


def at(minutes: float, revision: int, member: str = "m1") -> Point:
    """Taken so many minutes ago."""
    return Point(NOW - timedelta(minutes=minutes), revision, member)


def test_the_highest_revision_is_the_latest_and_time_breaks_a_tie() -> None:
    assert latest([at(1, 5), at(9, 12345)], NOW) == at(9, 12345)
    assert latest([at(9, 5), at(1, 5), at(3, 5)], NOW) == at(1, 5)
    assert latest([], NOW) is None


def test_one_dated_2099_is_not_the_latest_and_is_refused_with_the_reason() -> None:
    late = Point(datetime(2099, 1, 1, tzinfo=UTC), 99999, "m3")
    assert latest([late, at(1, 1000)], NOW) == at(1, 1000)
    assert "in the future" in (why_not_yet(late.taken_at, NOW) or "")
    assert why_not_yet(NOW + CLOCK_TOLERANCE, NOW) is None
    assert "6 minutes in the future" in (why_not_yet(NOW + timedelta(minutes=6), NOW) or "")


def test_a_revision_that_no_cluster_reaches_is_not_the_latest():
    """Above it no restore could raise the revision any more, and hosts' reports of it are not read."""
    absurd = at(1, (1 << 62), "m3")
    assert latest([absurd, at(9, 1000)], NOW) == at(9, 1000)
    assert latest([at(9, HIGHEST_REVISION), at(1, 5)], NOW) == at(9, HIGHEST_REVISION)
    assert HIGHEST_REVISION + REACHABLE + BUMP < MOST_REPORTED


def test_a_revision_that_two_members_contradict_later_is_not_believed() -> None:
    lie = at(120, 1 << 60, "m3")
    honest = [at(60, 1000, "m1"), at(30, 1001, "m2")]
    assert list(contradicted([lie, *honest])) == [0]
    assert contradicted([lie, honest[0]]) == {}  # one word against another
    assert contradicted([at(20, 1 << 60, "m3"), *honest]) == {}


POINTS = st.lists(
    st.builds(at, st.integers(0, 200), st.integers(1, 40), st.sampled_from(["m1", "m2", "m3"])), max_size=12
)


@given(points=POINTS)
def test_one_liar_discredits_nobody_whose_revisions_only_grow(points: list[Point]) -> None:
    honest = sorted((point for point in points if point.member != "m3"), key=lambda point: point.taken_at)
    revisions = sorted(point.revision for point in honest)
    grown = [Point(one.taken_at, revision, one.member) for one, revision in zip(honest, revisions, strict=True)]
    together = [*grown, *(point for point in points if point.member == "m3")]
    assert all(together[place].member == "m3" for place in contradicted(together))
