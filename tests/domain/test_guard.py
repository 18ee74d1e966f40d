import pytest
import samples

from haplane.domain.guard import may_restart_apiserver, may_restart_etcd, may_stop_balancer

CONVERGED = samples.converged(samples.inventory())


def members(listed, *, dead=(), learners=(), behind=None):
    """The masters' reports: all list these names ("" never started), but for ``behind``, which lists the masters."""
    told = [{"ID": number, "name": name, "isLearner": name in learners} for number, name in enumerate(listed, 1)]
    found = {}
    for name in ("m1", "m2", "m3"):
        etcd = CONVERGED.reports[name].etcd.model_dump(by_alias=True)
        if name == behind:
            etcd["status"]["header"]["revision"] -= 1
        else:
            etcd["members"] = told
        found[name] = None if name in dead else samples.altered(CONVERGED, name, etcd=etcd).reports[name]
    return found


@pytest.mark.parametrize(
    ("listed", "dead", "allowed", "words"),
    [
        (("m1", "m2", "m3"), (), True, "3 voters need 2 healthy; 3 are"),
        (("m1", "m2", "m3"), ("m3",), False, "without m1 1 would remain"),
        (("m1", "m2", "m3", "old"), (), False, "4 voters need 3 healthy; 3 are, without m1 2 would remain"),
        (("m1", "m2", "m3", ""), (), False, "4 voters"),
        (("m1", "m2", "m3", "", ""), (), False, "5 voters"),
        (("m1",), (), False, "1 voters need 1 healthy; 1 are, without m1 0 would remain"),
        ((), (), False, "there is no quorum"),
    ],
)
def test_the_voters_are_those_that_etcd_lists(listed, dead, allowed, words):
    verdict = may_restart_etcd(members(listed, dead=dead), "m1")
    assert verdict.allowed is allowed
    assert words in verdict.arithmetic


def test_the_list_of_the_member_that_applied_the_most_counts():
    """m1's own list is of before a fourth member was added."""
    assert not may_restart_etcd(members(("m1", "m2", "m3", "old"), behind="m1"), "m1").allowed


def test_a_member_that_is_a_cluster_of_its_own_is_no_healthy_voter():
    """Somebody restores m3 alone with etcdutl: it reads through its own quorum. A restart of m1 ends the others'."""
    restored = samples.restored_alone(CONVERGED, "m3").reports
    verdict = may_restart_etcd(restored, "m1")
    assert not verdict.allowed
    assert "3 voters need 2 healthy; 2 are, without m1 1 would remain" in verdict.arithmetic
    assert may_restart_etcd(restored, "m3").allowed


def test_the_api_server_beside_a_cluster_of_its_own_replaces_no_other():
    restored = samples.restored_alone(CONVERGED, "m3").reports
    masters = {name: restored[name] for name in ("m1", "m2", "m3")}
    assert may_restart_apiserver(masters, "m1").allowed
    assert not may_restart_apiserver(masters | {"m2": None}, "m1").allowed
    assert may_restart_apiserver(masters | {"m2": None, "m3": CONVERGED.reports["m3"]}, "m1").allowed


def test_where_a_member_with_another_id_runs_the_listed_one_does_not():
    """Its cluster's ID is not known: it was late, and an older haplane's hosts do not report it."""
    etcd = CONVERGED.reports["m3"].etcd.model_dump(by_alias=True) | {"data_cluster_id": None}
    etcd["status"]["header"] |= {"cluster_id": 0, "member_id": 99}
    found = samples.altered(CONVERGED, "m3", etcd=etcd).reports
    assert not may_restart_etcd(found, "m1").allowed


def test_a_learner_has_no_vote_and_may_stop():
    found = members(("m1", "m2", "m3"), learners=("m3",))
    assert may_restart_etcd(found, "m3").allowed
    assert may_restart_etcd(found, "m1").arithmetic.startswith("2 voters")


def test_a_member_that_etcd_does_not_list_is_judged_and_never_counted_as_healthy():
    assert "3 voters need 2 healthy; 2 are" in may_restart_etcd(members(("m1", "m2")), "m3").arithmetic


@pytest.mark.parametrize(
    ("servers", "allowed"),
    [
        ([("apiservers", "m1", "UP")], True),
        ([("apiservers", "m1", "DOWN"), ("apiservers", "m2", "UP 1/4")], True),
        ([("apiservers", "m1", "DOWN"), ("apiservers", "m2", "DRAIN")], False),
        ([("apiservers", "old1", "UP")], False),
        ([("etcd", "m1", "UP")], False),
        ([], False),
        (None, False),
    ],
)
def test_the_address_goes_only_to_a_load_balancer_that_sends_clients_to_a_master(servers, allowed):
    """lb2 came back with a configuration of masters that are gone: haproxy and keepalived run, and nobody answers."""
    named = [{"backend": one, "name": name, "status": status} for one, name, status in servers or ()]
    balancer = CONVERGED.reports["lb2"].balancer.model_dump() | {"servers": named if servers is not None else None}
    found = samples.altered(CONVERGED, "lb2", balancer=balancer).reports
    both = {name: found[name] for name in ("lb1", "lb2")}
    assert may_stop_balancer(both, "lb1", masters={"m1", "m2", "m3"}).allowed is allowed
    assert may_stop_balancer(both, "lb2", masters={"m1", "m2", "m3"}).allowed
