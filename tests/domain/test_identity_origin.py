import pytest
import samples
from samples import holding

from haplane.domain.identity_origin import Origin, origin_of_identity
from haplane.errors import Refused, UnfitHosts

MASTERS = ("m1", "m2", "m3")
PATHS = ("/pki/ca.crt", "/pki/ca.key")
EVIDENCE = ("/etc/kubernetes/kubelet.conf",)


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


def test_a_cluster_that_was_there_before_is_named_host_by_host():
    """A stock kubeadm node has no identity of ours, but it is somebody's node."""
    reports = {"m1": samples.report(), "w1": holding(**{EVIDENCE[0]: "c"})}
    with pytest.raises(UnfitHosts) as refusal:
        origin_of_identity(("m1",), reports, PATHS, EVIDENCE)
    [problem] = refusal.value.problems
    assert problem.what == "w1 holds files of another cluster"
    assert "haplane reset INVENTORY w1" in str(problem)
