"""What is kept, whatever the order, the clock and the policy."""

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from haplane.domain.retention import KeepPolicy, Taken, by_signer, keep

NUMBERS = st.integers(0, 5)
POLICIES = st.builds(KeepPolicy, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
MEMBERS = ("m1", "m2", "m3")
SNAPSHOTS = st.lists(st.tuples(MOMENTS, st.booleans(), st.sampled_from(MEMBERS)), max_size=40).map(
    lambda found: [Taken(f"s{number}", *one) for number, one in enumerate(found)]
)


@given(snapshots=SNAPSHOTS, policy=POLICIES)
def test_the_newest_verified_one_and_everything_is_accounted_for(snapshots: list[Taken], policy: KeepPolicy) -> None:
    verdict = keep(snapshots, policy)
    assert sorted(taken.id for taken in verdict.kept + verdict.removable) == sorted(taken.id for taken in snapshots)
    verified = [taken for taken in snapshots if taken.verified]
    if verified:
        assert max(verified, key=lambda taken: (taken.taken_at, taken.id)) in verdict.kept


@given(snapshots=SNAPSHOTS, policy=POLICIES, seed=st.randoms())
def test_neither_order_nor_repetition_changes_the_verdict(
    snapshots: list[Taken], policy: KeepPolicy, seed: random.Random
) -> None:
    verdict = keep(snapshots, policy)
    shuffled = list(snapshots)
    seed.shuffle(shuffled)
    assert keep(shuffled, policy) == verdict
    assert keep(verdict.kept, policy).removable == ()


@given(snapshots=SNAPSHOTS, policy=POLICIES)
def test_what_is_not_verified_pushes_nothing_out(snapshots: list[Taken], policy: KeepPolicy) -> None:
    verified = [taken for taken in snapshots if taken.verified]
    alone = keep(verified, policy)
    assert [taken for taken in keep(snapshots, policy).kept if taken.verified] == list(alone.kept)


@given(snapshots=SNAPSHOTS, policy=POLICIES, liar=st.sampled_from(MEMBERS))
def test_whatever_one_member_signs_nothing_goes_that_would_be_kept_without_it(
    snapshots: list[Taken], policy: KeepPolicy, liar: str
) -> None:
    honest = [taken for taken in snapshots if taken.signer != liar]
    assert {taken.id for taken in keep(honest, policy).kept} <= {taken.id for taken in keep(snapshots, policy).kept}


def test_a_flood_of_one_member_removes_nothing_of_the_others_history() -> None:
    now = datetime(2026, 11, 28, 12, tzinfo=UTC)
    policy = KeepPolicy(last=60, hourly=48, daily=14, weekly=8, monthly=12)
    taken = [Taken(f"real{hour}", now - timedelta(hours=hour), signer=f"m{1 + hour % 2}") for hour in range(24 * 365)]
    real = keep(taken, policy).kept
    moments = [now + timedelta(seconds=number) for number in range(60)]
    moments += [(now - timedelta(days=day)).replace(hour=23, minute=59, second=59) for day in range(400)]
    moments += [(now - timedelta(hours=hour)).replace(minute=59, second=58) for hour in range(60)]
    verdict = keep([*real, *(Taken(f"fake{moment}", moment, signer="m3") for moment in moments)], policy)
    assert by_signer(verdict.removable).keys() == {"m3"}


@given(number=st.integers(1, 5), count=st.integers(0, 30))
def test_as_many_hours_as_asked_for_if_there_are_so_many(number: int, count: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    every_half_hour = [Taken(f"s{step}", start + step * timedelta(minutes=30)) for step in range(count)]
    kept = keep(every_half_hour, KeepPolicy(last=0, hourly=number, daily=0, weekly=0, monthly=0)).kept
    assert len(kept) == min(number, (count + 1) // 2)


def test_each_period_keeps_its_newest() -> None:
    moments = [datetime(2026, 3, day, hour, tzinfo=UTC) for day in (1, 2, 9) for hour in (3, 21)]
    taken = [Taken(f"{moment:%d-%H}", moment) for moment in moments]
    policy = KeepPolicy(last=1, hourly=0, daily=2, weekly=3, monthly=0)
    assert [one.id for one in keep(taken, policy).kept] == ["09-21", "02-21", "01-21"]
    assert [one.id for one in keep(taken, KeepPolicy(1, 0, 0, 0, 9)).kept] == ["09-21"]


def test_those_without_quorum_are_kept_while_they_may_be_the_newest_data() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    good = Taken("good", start)
    later = [Taken(f"cut{step}", start + timedelta(minutes=step), verified=False) for step in (1, 2, 3)]
    kept = keep([good, *later], KeepPolicy(last=2, hourly=0, daily=0)).kept
    assert [taken.id for taken in kept] == ["cut3", "cut2", "good"]
    newer = Taken("newer", start + timedelta(minutes=9))
    assert keep([good, *later, newer], KeepPolicy(last=1, hourly=0, daily=0)).kept == (newer,)
