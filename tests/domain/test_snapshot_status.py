"""How old the last verified snapshot is, and when that is too old."""

from datetime import timedelta
from typing import Any

import samples

from haplane.domain.observed import HostReport, Observation
from haplane.domain.snapshot_status import snapshot_problems, summarise_snapshots
from haplane.domain.steps.snapshots import TIMER_UNIT

NAMES = ("m1", "m2", "m3")
NOW = samples.NOW


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat()


def good(seconds: float, took: float = 4) -> dict[str, Any]:
    return {"id": "x", "taken_at": ago(seconds), "verified_at": ago(seconds - took), "revision": 7, "seconds": took}


def member(state: dict[str, Any] | None, up_for: float = 10_000) -> HostReport:
    timer = {"active": True, "enabled": True, "needs_reload": False, "active_since": NOW.timestamp() - up_for}
    return samples.report(snapshots={"agent": "a", "state": state, "local": 2}, units={TIMER_UNIT: timer})


TAKE = "; fix: `haplane snapshot take INVENTORY` takes one, or shows what prevents it"


def judged(*members: HostReport, interval: int | None = 60):
    observation = Observation(reports=dict(zip(NAMES, members, strict=False)))
    snapshots = summarise_snapshots(interval, NAMES, observation, NOW)
    return snapshots, [str(one) for one in snapshot_problems(snapshots, NAMES, observation, NOW)]


def test_the_age_is_that_of_the_newest_verified_one_of_any_member():
    snapshots, problems = judged(member({"last_good": good(150)}), member({"last_good": good(30, took=12)}))
    assert problems == []
    assert (snapshots.age_seconds, snapshots.pipeline_seconds, snapshots.rpo_seconds) == (30, 12, 72)
    assert snapshots.last_taken_at == ago(30)
    assert snapshots.last_verified_at == ago(18)
    assert snapshots.local == 4
    assert [one.last_taken_at for one in snapshots.members] == [ago(150), ago(30), None]


def test_one_member_with_a_clock_in_2099_hides_nothing():
    snapshots, problems = judged(member({"last_good": good(-(10**9))}), member({"last_good": good(500)}))
    assert snapshots.age_seconds == 500
    assert "m1 reports the snapshot x, which is ignored" in problems[0]
    assert "500 s old" in problems[1]


def test_three_intervals_without_a_verified_one_are_a_problem():
    assert judged(member({"last_good": good(180)}))[1] == []
    [problem] = judged(member({"last_good": good(181)}))[1]
    assert "181 s old" in problem


def test_what_was_taken_without_quorum_resets_nothing():
    cut_off = {
        "last_good": good(400),
        "without_quorum": 5,
        "last_attempt": {"at": ago(5), "outcome": "without-quorum"},
    }
    snapshots, problems = judged(member(cut_off))
    assert problems
    assert snapshots.members[0].without_quorum == 5


def test_none_at_all_is_a_problem_once_there_was_time_for_one():
    assert judged(member(None, up_for=170), member(None, up_for=20))[1] == []
    [problem] = judged(member(None, up_for=190), member(None, up_for=20))[1]
    assert "no verified snapshot" in problem


def test_after_a_power_cut_everywhere_there_is_time_for_one_again():
    assert judged(member({"last_good": good(9999)}, up_for=20))[1] == []


def test_without_the_setting_nothing_is_asked():
    snapshots, problems = judged(member({"last_good": good(9999)}), interval=None)
    assert (snapshots.age_seconds, problems) == (None, [])


def test_a_state_that_cannot_be_read_hides_nothing_else():
    report = samples.report(snapshots={"agent": "a", "state": {"last_good": 5}, "sealed": [], "local": 3})
    assert report.snapshots.state is None
    assert report.snapshots.sealed is None
    assert report.snapshots.local == 3


def test_a_pipeline_of_over_half_the_interval_is_slow():
    assert judged(member({"last_good": good(10, took=31)}))[0].pipeline_is_slow
    assert not judged(member({"last_good": good(10, took=30)}))[0].pipeline_is_slow
    assert not judged(member(None))[0].pipeline_is_slow


def test_what_silent_members_may_know_is_not_missing():
    assert judged()[1] == []
    assert judged(member(None))[1] == [
        f"the members that respond report no verified snapshot, though one is due every 60 s{TAKE}"
    ]
    assert judged(member(None), member(None), member(None))[1] == [
        f"no verified snapshot has been taken yet, though one is due every 60 s{TAKE}"
    ]


def serving(state: dict[str, Any] | None) -> HostReport:
    report = member(state)
    return report.model_copy(update={"etcd": report.etcd.model_copy(update={"reads_through_quorum": True})})


def test_one_member_that_claims_a_recent_one_hides_not_that_there_is_none():
    """Backups had stopped, and `status` reported them as fresh by one member."""
    forged = serving({"last_good": good(5) | {"revision": 10**9}})
    stopped = serving({"last_good": good(9999)})
    [problem] = judged(stopped, stopped, forged)[1]
    assert problem.startswith("only m3 reports a verified snapshot of the last 180 s")
    assert "on m1: `journalctl -u haplane-snapshot.service" in problem
    assert judged(stopped, serving({"last_good": good(170)}), forged)[1] == []
    assert judged(forged)[1] == [], "where there is one member it is believed"
