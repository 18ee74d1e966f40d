import pytest
import samples

from haplane.domain.agreement import (
    Origin,
    etcd_of_another_cluster,
    moved_hosts,
    origin_of_identity,
    stale_etcd,
    workers_of_another_cluster,
)
from haplane.errors import Refused, UnfitHosts

MASTERS = ("m1", "m2", "m3")
PATHS = ("/pki/ca.crt", "/pki/ca.key")
EVIDENCE = ("/etc/kubernetes/kubelet.conf",)
CA = "/etc/etcd/pki/ca.crt"


def holding(**digests):
    """A report whose files have these digests, by path; ``data`` says that etcd has been used."""
    used = digests.pop("data", False)
    files = {path: {"sha256": digest * 64, "mode": 0o600, "user_id": 0} for path, digest in digests.items()}
    return samples.report(files=files, etcd=samples.document()["etcd"] | {"has_data": used})


def whole(digest):
    return holding(**dict.fromkeys(PATHS, digest))


def test_masters_with_nothing_get_a_new_identity():
    assert origin_of_identity(MASTERS, dict.fromkeys(MASTERS, samples.report()), PATHS, EVIDENCE) is Origin.NEW


def test_one_surviving_master_is_enough():
    reports = {"m1": samples.report(), "m3": whole("a")}
    assert origin_of_identity(MASTERS, reports, PATHS, EVIDENCE) is Origin.MASTERS


def test_what_no_master_has_whole_but_all_have_together_is_an_identity():
    reports = {"m1": holding(**{PATHS[0]: "a"}), "m2": holding(**{PATHS[1]: "b"})}
    assert origin_of_identity(MASTERS, reports, PATHS, EVIDENCE) is Origin.MASTERS


def test_two_identities_are_refused_naming_the_sides():
    reports = {"m1": whole("a"), "m2": whole("b"), "m3": whole("a")}
    with pytest.raises(UnfitHosts) as refusal:
        origin_of_identity(MASTERS, reports, PATHS, EVIDENCE)
    [problem] = refusal.value.problems
    assert problem.what == "m1, m3 / m2: installed as different clusters"
    assert "haplane reset INVENTORY m2" in str(refusal.value)


def test_one_key_that_differs_is_not_another_cluster():
    paths = (*PATHS, "/pki/sa.key")
    reports = {name: holding(**dict.fromkeys(paths, "a")) for name in MASTERS}
    reports["m2"] = holding(**dict.fromkeys(PATHS, "a"), **{"/pki/sa.key": "b"})
    with pytest.raises(UnfitHosts) as refusal:
        origin_of_identity(MASTERS, reports, paths, EVIDENCE)
    [problem] = refusal.value.problems
    assert problem.what == "/pki/sa.key differs between masters of one cluster"
    assert "haplane reset" not in str(problem)
    assert "to m2 " in str(problem)


def test_half_an_identity_is_replaced_only_while_etcd_holds_nothing():
    half = holding(**{PATHS[0]: "a"})
    assert origin_of_identity(MASTERS, {"m1": half}, PATHS, EVIDENCE) is Origin.NEW
    with pytest.raises(Refused, match="etcd has data") as refusal:
        origin_of_identity(MASTERS, {"m1": half, "e1": holding(data=True)}, PATHS, EVIDENCE)
    assert refusal.value.where == "etcd data on e1"
    assert "haplane restore INVENTORY" in refusal.value.next_step
    used = {"m1": half, "e1": holding(data=True)}
    assert origin_of_identity(MASTERS, used, PATHS, EVIDENCE, given=True) is Origin.NEW


def test_hosts_outside_the_masters_have_no_say_in_the_identity():
    assert origin_of_identity(MASTERS, {"m1": whole("a"), "w1": whole("b")}, PATHS, EVIDENCE) is Origin.MASTERS


def test_a_member_of_another_cluster_is_named():
    reports = {"m1": holding(**{CA: "a"}), "m2": holding(**{CA: "b"}), "m3": samples.report()}
    [problem] = etcd_of_another_cluster("a" * 64, MASTERS, reports, CA)
    assert problem.what == "m2 holds etcd of another cluster"
    assert "haplane reset INVENTORY m2" in str(problem)


def test_without_an_identity_only_a_member_with_data_is_a_stranger():
    """An interrupted first run leaves its authority on etcd machines before any master holds anything."""
    reports = {"e1": holding(**{CA: "a"}), "e2": holding(**{CA: "a"}, data=True)}
    found = etcd_of_another_cluster(None, ("e1", "e2"), reports, CA)
    assert ["e2 holds etcd data" in problem.what for problem in found] == [True]
    assert "haplane restore INVENTORY" in found[0].next_step
    assert "haplane reset INVENTORY e2" in found[0].next_step


def test_a_cluster_that_was_there_before_is_named_host_by_host():
    """A stock kubeadm node has no identity of ours, but it is somebody's node."""
    reports = {"m1": samples.report(), "w1": holding(**{EVIDENCE[0]: "c"})}
    with pytest.raises(UnfitHosts) as refusal:
        origin_of_identity(("m1",), reports, PATHS, EVIDENCE)
    [problem] = refusal.value.problems
    assert problem.what == "w1 holds files of another cluster"
    assert "haplane reset INVENTORY w1" in str(problem)


def test_a_worker_of_another_cluster_is_named():
    reports = {"w1": holding(**{CA: "a"}), "w2": holding(**{CA: "b"}), "w3": samples.report()}
    [problem] = workers_of_another_cluster("a" * 64, ("w1", "w2", "w3"), reports, CA)
    assert problem.what == "w2 is a node of another cluster"


ADDRESSES = {"m1": "10.0.0.21", "m2": "10.0.0.22"}


def set_up_as(name, address, *, through=True):
    files = {EVIDENCE[0]: {"sha256": "a" * 64, "mode": 0o600, "user_id": 0}} if through else {}
    return samples.report(files=files, settings={"name": name, "address": address})


def test_exchanged_and_moved_masters_are_told_apart():
    exchanged = {"m1": set_up_as("m2", "10.0.0.22"), "m2": set_up_as("m1", "10.0.0.21")}
    assert [problem.what for problem in moved_hosts(ADDRESSES, exchanged, EVIDENCE)] == [
        "m1 is the host that was installed as m2",
        "m2 is the host that was installed as m1",
    ]
    moved = {"m1": set_up_as("m1", "10.0.0.21"), "m2": set_up_as("m2", "10.0.0.99")}
    [problem] = moved_hosts(ADDRESSES, moved, EVIDENCE)
    assert problem.what == "m2 was installed at 10.0.0.99, but the inventory has 10.0.0.22"


def test_what_an_interrupted_run_wrote_before_kubeadm_binds_nobody():
    assert moved_hosts(ADDRESSES, {"m1": set_up_as("x", "10.0.0.9", through=False)}, EVIDENCE) == []


def member(stored, serving=None):
    status = {"header": {"cluster_id": serving}} if serving else None
    etcd = {"has_data": True, "status": status, "reads_through_quorum": bool(serving), "data_cluster_id": stored}
    return samples.report(etcd=samples.document()["etcd"] | etcd)


@pytest.mark.parametrize(
    ("reports", "stale"),
    [
        ({"m1": member(1, 1), "m2": member(1, 1), "m3": member(2)}, ["m3"]),
        ({"m1": member(1), "m2": member(2), "m3": member(2)}, ["m1"]),
        ({"m1": member(1, 1), "m2": member(2), "m3": member(2)}, ["m2", "m3"]),
        ({"m1": member(1), "m2": member(2)}, []),
        ({"m1": member(1, 1), "m2": member(1), "m3": samples.report()}, []),
        ({"m1": member(1, 1), "m2": member(1, 1), "m3": member(None, 2)}, ["m3"]),
        ({"m1": member(1, 1), "m2": member(1), "m3": member(2, 2)}, ["m3"]),
        ({"m1": member(1, 1), "m3": member(2, 2)}, []),
        ({}, []),
    ],
)
def test_data_of_another_cluster_is_told_by_those_who_serve_or_by_the_most(reports, stale):
    assert [problem.what.split()[0] for problem in stale_etcd(MASTERS, reports)] == stale
