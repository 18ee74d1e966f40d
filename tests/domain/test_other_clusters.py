import samples
from samples import holding

from haplane.domain.other_clusters import etcd_of_another_cluster, workers_of_another_cluster

CA = "/etc/etcd/pki/ca.crt"


def test_a_member_of_another_cluster_is_named():
    reports = {"m1": holding(**{CA: "a"}), "m2": holding(**{CA: "b"}), "m3": samples.report()}
    [problem] = etcd_of_another_cluster("a" * 64, ("m1", "m2", "m3"), reports, CA)
    assert problem.what == "m2 holds etcd of another cluster"
    assert "haplane reset INVENTORY m2" in str(problem)


def test_without_an_identity_only_a_member_with_data_is_a_stranger():
    """An interrupted first run leaves its authority on etcd machines before any master holds anything."""
    reports = {"e1": holding(**{CA: "a"}), "e2": holding(**{CA: "a"}, data=True)}
    found = etcd_of_another_cluster(None, ("e1", "e2"), reports, CA)
    assert ["e2 holds etcd data" in problem.what for problem in found] == [True]
    assert "haplane restore INVENTORY" in found[0].next_step
    assert "haplane reset INVENTORY e2" in found[0].next_step


def test_a_worker_of_another_cluster_is_named():
    reports = {"w1": holding(**{CA: "a"}), "w2": holding(**{CA: "b"}), "w3": samples.report()}
    [problem] = workers_of_another_cluster("a" * 64, ("w1", "w2", "w3"), reports, CA)
    assert problem.what == "w2 is a node of another cluster"
