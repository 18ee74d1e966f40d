import pytest
import samples
from hypothesis import given
from hypothesis import strategies as st

from haplane.domain.quorum import majority
from haplane.domain.recovery import (
    BUMP,
    Candidate,
    Cure,
    Member,
    bump,
    judge,
    keys_are_lost,
    loss,
    newest,
    summarise_recovery,
)

MEMBERS = st.builds(
    lambda number, state: Member(
        f"m{number}", answers=state > 0, has_data=state > 1, serves=state > 2, revision=10 if state > 1 else None
    ),
    st.integers(1, 99),
    st.integers(0, 3),
)
CLUSTERS = st.lists(MEMBERS, min_size=1, max_size=7, unique_by=lambda member: member.name)


def cluster(states: str) -> list[Member]:
    """A letter a member: s serves, d holds data, e is empty, - is off."""
    return [
        Member(f"m{number}", answers=state != "-", has_data=state in "sd", serves=state == "s")
        for number, state in enumerate(states, start=1)
    ]


@pytest.mark.parametrize(
    ("states", "cure", "concerned"),
    [
        ("sss", Cure.NOTHING, ""),
        ("sse", Cure.REPAIR, "m3"),
        ("ss-", Cure.REPAIR, "m3"),
        ("ddd", Cure.START, "m1 m2 m3"),
        ("dd-", Cure.START, "m1 m2"),
        ("d--", Cure.REACH, "m2 m3"),
        ("---", Cure.REACH, "m1 m2 m3"),
        ("e--", Cure.REACH, "m2 m3"),
        ("de-", Cure.REACH, "m3"),
        ("dee", Cure.SURVIVOR, "m1"),
        ("eee", Cure.REBUILD, ""),
        ("ee-", Cure.REBUILD, ""),
        ("d", Cure.START, "m1"),
        ("e", Cure.REBUILD, ""),
    ],
)
def test_the_smallest_cure(states, cure, concerned):
    judgement = judge(cluster(states))
    assert (judgement.cure, " ".join(judgement.members)) == (cure, concerned)
    assert judgement.command("x.py")


def test_members_without_masters_give_their_data_to_the_keys_of_a_snapshot():
    for states in ("sss", "ss-", "ddd", "d--"):
        judgement = judge(cluster(states), keys_lost=True)
        assert judgement.cure is Cure.SURVIVOR
        assert "no master holds the cluster's keys" in judgement.arithmetic
    assert judge(cluster("eee"), keys_lost=True).cure is Cure.REBUILD
    assert judge(cluster("e--"), keys_lost=True).cure is Cure.REACH


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
    judgement = judge(members)
    could_hold = [member for member in members if not member.answers or member.has_data]
    if any(member.serves for member in members):
        assert judgement.is_less_than_a_restore
    else:
        # a majority could still be there: nobody may conclude that it is not
        holding = sum(member.has_data for member in members)
        silent = sum(not member.answers for member in members)
        assert judgement.is_less_than_a_restore is (
            holding >= majority(len(members)) or (silent > 0 and len(could_hold) >= majority(len(members)))
        )


def test_the_newest_loses_the_least_and_says_what():
    survivor, stored = Candidate("member m2", 120, 0), Candidate("snapshot x", 100, 45)
    assert newest([stored, survivor]) is survivor
    assert newest([]) is None
    assert loss(survivor, 120) == "member m2: revision 120, nothing newer is known"
    assert loss(stored, 120) == "snapshot x: revision 100 of 120, loses 20 revisions, every write of its last 45 s"
    assert "loses every write" in loss(stored, None)


@given(st.integers(1, 1 << 40), st.lists(st.integers(1, 1 << 40)))
def test_no_client_ever_sees_a_revision_again(restored, known):
    assert restored + bump(restored, known) >= max([restored, *known]) + BUMP


def test_status_tells_the_cure_and_what_was_kept():
    given = samples.inventory()
    observation = samples.altered(
        samples.converged(given), "m2", remains={"aside": [{"path": "/var/lib/etcd/aside-1", "size": 4096}]}
    )
    found = summarise_recovery(["m1", "m2", "m3"], observation.reports)
    assert found.cure == Cure.NOTHING.value
    assert [(kept.host, kept.path) for kept in found.kept] == [("m2", "/var/lib/etcd/aside-1")]
    assert found.problems == []


def test_an_interrupted_restore_is_a_problem():
    given = samples.inventory()
    journal = {
        "stamp": "20261122T190000Z", "stage": "replacing", "source": "file x", "database": "0" * 64, "revision": 5,
        "bump": 10, "uid": "",
    }  # fmt: skip
    observation = samples.altered(samples.fresh(given), "m2", remains={"journal": journal})
    found = summarise_recovery(["m1", "m2", "m3"], observation.reports)
    assert found.restore_under_way == "file x"
    assert "interrupted" in found.problems[0]
