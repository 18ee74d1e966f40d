import pytest
import samples
from hypothesis import given
from hypothesis import strategies as st

from haplane.domain.assessment import (
    BUMP,
    Candidate,
    Member,
    RecoveryAction,
    assess,
    bump,
    keys_are_lost,
    loss,
    summarise_recovery,
    too_old,
)
from haplane.domain.observed import Observation
from haplane.domain.quorum import majority

MEMBERS = st.builds(
    lambda number, state: Member(
        f"m{number}", reachable=state > 0, has_data=state > 1, serves=state > 2, revision=10 if state > 1 else None
    ),
    st.integers(1, 99),
    st.integers(0, 3),
)
CLUSTERS = st.lists(MEMBERS, min_size=1, max_size=7, unique_by=lambda member: member.name)


def cluster(states: str) -> list[Member]:
    """A letter a member: s serves, d holds data, e is empty, - is off."""
    return [
        Member(f"m{number}", reachable=state != "-", has_data=state in "sd", serves=state == "s")
        for number, state in enumerate(states, start=1)
    ]


@pytest.mark.parametrize(
    ("states", "action", "concerned"),
    [
        ("sss", RecoveryAction.NOTHING, ""),
        ("sse", RecoveryAction.REPAIR, "m3"),
        ("ss-", RecoveryAction.REPAIR, "m3"),
        ("ssd", RecoveryAction.FIX, "m3"),
        ("ddd", RecoveryAction.START, "m1 m2 m3"),
        ("dd-", RecoveryAction.START, "m1 m2"),
        ("d--", RecoveryAction.REACH, "m2 m3"),
        ("---", RecoveryAction.REACH, "m1 m2 m3"),
        ("e--", RecoveryAction.REACH, "m2 m3"),
        ("de-", RecoveryAction.REACH, "m3"),
        ("dee", RecoveryAction.SURVIVOR, "m1"),
        ("eee", RecoveryAction.REBUILD, ""),
        ("ee-", RecoveryAction.REBUILD, ""),
        ("d", RecoveryAction.START, "m1"),
        ("e", RecoveryAction.REBUILD, ""),
    ],
)
def test_the_least_that_brings_a_cluster_back(states, action, concerned):
    assessment = assess(cluster(states))
    assert (assessment.action, " ".join(assessment.members)) == (action, concerned)
    assert assessment.command("x.py")


def test_members_without_masters_give_their_data_to_the_keys_of_a_snapshot():
    for states in ("sss", "ss-", "ddd", "d--"):
        assessment = assess(cluster(states), keys_lost=True)
        assert assessment.action is RecoveryAction.SURVIVOR
        assert "no master holds the cluster's keys" in assessment.reason
    assert assess(cluster("eee"), keys_lost=True).action is RecoveryAction.REBUILD
    assert assess(cluster("e--"), keys_lost=True).action is RecoveryAction.REACH


def test_keys_are_lost_when_no_master_that_could_have_them_is_left():
    masters, keys = ("m1", "m2"), ("/pki/ca.crt", "/pki/ca.key")
    empty = samples.report()
    files = {path: {"sha256": "a" * 64, "mode": 0o600, "user_id": 0} for path in keys}
    whole = samples.report(files=files)
    half = samples.report(files={keys[0]: files[keys[0]]})
    assert keys_are_lost(masters, {"m1": empty, "m2": empty}, keys)
    assert keys_are_lost(masters, {"m1": half, "m2": half}, keys)
    assert not keys_are_lost(masters, {"m1": empty, "m2": whole}, keys)
    assert not keys_are_lost(masters, {"m1": empty}, keys)
    assert keys_are_lost(masters, {"m1": empty}, keys, without=["m2"])


@given(CLUSTERS)
def test_data_is_given_up_only_where_too_few_members_could_still_hold_it(members):
    assessment = assess(members)
    could_hold = [member for member in members if not member.reachable or member.has_data]
    if any(member.serves for member in members):
        assert assessment.is_less_than_a_restore
    else:
        # a majority could still be there: nobody may conclude that it is not
        holding = sum(member.has_data for member in members)
        silent = sum(not member.reachable for member in members)
        assert assessment.is_less_than_a_restore is (
            holding >= majority(len(members)) or (silent > 0 and len(could_hold) >= majority(len(members)))
        )


def test_what_each_candidate_loses():
    survivor, stored = Candidate("member m2", 120, 0), Candidate("snapshot x", 100, 45)
    assert loss(survivor, 120) == "member m2: revision 120, nothing newer is known"
    assert loss(stored, 120) == "snapshot x: revision 100 of 120, loses 20 revisions, every write of the last 45 s"
    assert "loses every write" in loss(stored, None)


def test_the_age_of_what_is_stored_is_said_when_nothing_newer_is_known():
    old = Candidate("snapshot x", 100, 400 * 86400)
    assert loss(old, 100) == "snapshot x: revision 100, taken 400 days ago, nothing newer is known"
    assert loss(old, 120) == "snapshot x: revision 100 of 120, loses 20 revisions, every write of the last 400 days"
    assert loss(old, None) == "snapshot x: revision 100, loses every write of the last 400 days"


def test_older_than_three_intervals_is_too_old():
    assert not too_old(180, 60)
    assert too_old(181, 60)
    assert not too_old(10**9, None)


@given(st.integers(1, 1 << 40), st.lists(st.integers(1, 1 << 40)))
def test_no_client_ever_sees_a_revision_again(restored, known):
    assert restored + bump(restored, known) >= max([restored, *known]) + BUMP


@given(st.integers(1, 1 << 40), st.lists(st.integers(1, 1 << 40)), st.integers((1 << 42), (1 << 63) - 1))
def test_one_that_lies_about_a_revision_uses_up_no_numbers(restored, known, lie):
    """A restore to 2^53 and more made reports that nobody could read, and to 2^63 an etcd that takes no write."""
    assert bump(restored, [*known, lie]) == bump(restored, known)


def summary(observation, inventory=None):
    given = inventory or samples.inventory()
    names = [host.name for host in given.etcd]
    others = [host.name for host in given.masters]
    return summarise_recovery(names, observation.reports, inventory="x.py", others=others)


def test_status_names_the_action_and_the_data_that_was_moved():
    observation = samples.altered(
        samples.converged(samples.inventory()),
        "m2",
        leftovers={"previous_data": [{"path": "/var/lib/etcd/aside-1", "size": 4096}]},
    )
    found = summary(observation)
    assert found.action is RecoveryAction.NOTHING
    assert [(one.host, one.path) for one in found.previous_data] == [("m2", "/var/lib/etcd/aside-1")]
    assert found.problems == []


@pytest.mark.parametrize("etcd_hosts", [0, 3])
def test_hosts_that_hold_no_cluster_are_told_from_a_cluster_that_lost_its_data(etcd_hosts):
    given = samples.inventory(etcd=etcd_hosts) if etcd_hosts else samples.inventory()
    fresh = samples.fresh(given)
    found = summary(fresh, given)
    assert found.action is RecoveryAction.CREATE
    assert found.command.startswith("`haplane up x.py` creates one")
    assert "haplane restore x.py" in found.command
    ca = {"/etc/kubernetes/pki/ca.crt": {"sha256": "a" * 64, "mode": 0o600, "user_id": 0}}
    assert summary(samples.altered(fresh, "m2", files=ca), given).action is RecoveryAction.REBUILD
    without_m1 = Observation(reports={name: one for name, one in fresh.reports.items() if name != "m1"})
    assert summary(without_m1, given).action is RecoveryAction.REBUILD


def test_an_interrupted_restore_is_a_problem():
    journal = {
        "stamp": "20261122T190000Z", "stage": "replacing", "source": "file x", "database": "0" * 64, "revision": 5,
        "bump": 10, "uid": "",
    }  # fmt: skip
    observation = samples.altered(samples.fresh(samples.inventory()), "m2", leftovers={"journal": journal})
    found = summary(observation)
    assert found.restore_under_way == "file x"
    assert "interrupted" in str(found.problems[0])
