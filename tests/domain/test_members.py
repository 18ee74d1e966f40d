import samples

from haplane.domain.members import corrupt, is_corrupt, is_late, membership
from haplane.domain.membership import Act, Blocked, next_change
from haplane.domain.membership_forecast import foresee
from haplane.domain.trust import NO_ETCD

INVENTORY = samples.inventory()
CONVERGED = samples.converged(INVENTORY)
WANTED = {host.name: str(host.address) for host in INVENTORY.etcd}


def etcd(name, **changes):
    return {"etcd": CONVERGED.reports[name].etcd.model_dump(by_alias=True) | changes}


def reports(changes, without=()):
    found = CONVERGED
    for name, fields in changes.items():
        found = samples.altered(found, name, **fields)
    return {name: report for name, report in found.reports.items() if name in WANTED and name not in without}


def names(changes):
    return [(change.act, change.name) for change in changes]


def test_a_whole_cluster_has_nothing_to_change():
    now = membership(WANTED, {}, CONVERGED.reports)
    assert next_change(now) is None
    assert now.healthy == 3


def test_a_member_that_runs_and_says_nothing_is_late_and_a_stopped_one_is_not():
    found = reports({"m1": etcd("m1", **DOWN)})
    assert [is_late(found[name]) for name in ("m1", "m2")] == [True, False]
    units = found["m1"].model_dump()["units"]
    stopped = units | {"etcd": units["etcd"] | {"active": False}}
    assert not is_late(samples.altered(CONVERGED, "m1", **etcd("m1", **DOWN), units=stopped).reports["m1"])


DIFFERS = '{"level": "fatal", "msg": "discovery failed", "error": "8e9e found data inconsistency with peers"}'
DOWN = {"status": None, "members": None, "reads_through_quorum": False}


def test_members_that_are_merely_down_count_once_they_will_be_started():
    """Two stopped members and a wiped one: nothing is known of the list, and two of three have what it takes."""
    found = reports({name: etcd(name, **DOWN) for name in ("m1", "m2")})
    found |= reports({"m3": etcd("m3", **DOWN, has_data=False)}, without=("m1", "m2"))
    changes, blocked = foresee(membership(WANTED, {}, found, starting=True))
    assert (names(changes)[0], blocked) == ((Act.REMOVE, "m3"), None)
    _, blocked = foresee(membership(WANTED, {}, found))
    assert blocked.what == "etcd has no quorum"


def test_two_wiped_disks_are_no_quorum_whoever_tells():
    found = reports({name: etcd(name, **DOWN, has_data=False) for name in ("m1", "m2")})
    for starting in (True, False):
        expected = (), Blocked("etcd has no quorum", "3 voters need 2 healthy; 1 are")
        assert foresee(membership(WANTED, {}, found, starting=starting)) == expected


def test_a_member_at_another_address_is_another_one():
    """The new m2 is empty; whether the old one serves is told by the others."""
    moved = WANTED | {"m2": "10.0.0.32"}
    for serves in (False, True):
        told = {name: etcd(name, outsiders={"2": serves}) for name in ("m1", "m3")}
        found = reports(told, without=("m2",)) | {"m2": samples.report("m2", "10.0.0.32")}
        changes, blocked = foresee(membership(moved, {}, found))
        assert bool(changes) is not serves
        assert bool(blocked) is serves


def test_a_leaving_host_that_does_not_answer_us_may_not_be_cut_off():
    staying = {name: address for name, address in WANTED.items() if name != "m3"}
    told = {name: etcd(name, outsiders={"3": True}) for name in ("m1", "m2")}
    leaving = {"m3": WANTED["m3"]}
    assert foresee(membership(staying, leaving, reports(told, without=("m3",))))[1] is not None
    assert names(foresee(membership(staying, leaving, reports({})))[0]) == [(Act.LEAVE, "m3")]


def test_damaged_data_are_known_by_etcds_alarm_or_its_last_words():
    alarm = dict(CONVERGED.reports["m1"].etcd.status.model_dump(by_alias=True), errors=["memberID:2 alarm:CORRUPT "])
    assert corrupt(reports({"m1": etcd("m1", status=alarm)}).values()) == set(), "the word of one"
    found = reports({"m1": etcd("m1", status=alarm), "m3": etcd("m3", status=alarm | {"header": {"member_id": 3}})})
    assert corrupt(found.values()) == {2}
    assert [is_corrupt(name, found) for name in WANTED] == [False, True, False]
    found = reports({"m3": etcd("m3", **DOWN, last_words=[DIFFERS])})
    assert [is_corrupt(name, found) for name in WANTED] == [False, False, True]
    assert next_change(membership(WANTED, {}, found, starting=True)) is None
    given_up = membership(WANTED, {}, found, data_to_discard=("m3",), starting=True)
    assert names(foresee(given_up)[0])[0] == (Act.REMOVE, "m3")


def test_a_member_that_could_not_be_inspected_is_not_one_without_data():
    nothing = {
        "bootstrapped": False,
        "has_data": False,
        "status": None,
        "members": None,
        "reads_through_quorum": False,
    }
    found = samples.altered(CONVERGED, "m2", failed={"etcd": "etcdctl did not end within 5 s"}, etcd=nothing)
    assert foresee(membership(WANTED, {}, found.reports))[0] == ()


def test_a_lying_member_cannot_make_a_lost_one_count_for_its_own_removal():
    """It reports its own data as lost and the lost member as serving: after its removal one of two would be left."""
    lost = CONVERGED.reports["m1"].etcd.members[1]
    observation = samples.altered(CONVERGED, "m1", etcd=NO_ETCD.model_dump() | {"outsiders": {f"{lost.id:x}": True}})
    observation = samples.altered(observation, lost.name, etcd=NO_ETCD.model_dump())
    assert foresee(membership(WANTED, {}, observation.reports))[0] == ()
