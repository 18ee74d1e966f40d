import hashlib

import samples
from samples import holding
from statuses import status_of

from haplane.domain import host_paths
from haplane.domain.other_clusters import OTHER_CA, etcd_of_another_cluster, workers_of_another_cluster
from haplane.pki.ca import new_ca

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


INVENTORY = samples.inventory(workers=1)
OTHER = new_ca("other", now=samples.NOW).certificate
WORKERS = host_paths.KUBERNETES_CA_CRT


def with_ca(name, path, pem, **changes):
    """The cluster as it should be, but that this host has that CA at this path."""
    observation = samples.converged(INVENTORY)
    for each in ("m1", "m2", "m3", name):
        ours = {
            host_paths.KUBERNETES_CA_CRT: samples.identity().kubernetes.certificate,
            host_paths.ETCD_CA_CRT: samples.identity().etcd.certificate,
            CA: samples.identity().etcd.certificate,
        }
        files = {one: file.model_dump() for one, file in observation.reports[each].files.items()}
        certificates = dict(observation.reports[each].certificates)
        for one, found in (ours | ({path: pem} if each == name else {})).items():
            if one in files:
                files[one]["sha256"] = hashlib.sha256(found).hexdigest()
                certificates[one] = found.decode()
        more = changes if each == name else {}
        observation = samples.altered(observation, each, files=files, certificates=certificates, **more)
    return observation


def test_a_member_whose_ca_somebody_replaced_is_not_called_another_clusters():
    """`up` advised to reset it, data and all."""
    observation = with_ca("m2", CA, OTHER)
    digest = observation.reports["m1"].files[CA].sha256
    assert etcd_of_another_cluster(digest, ("m1", "m2", "m3"), observation.reports, CA) == []
    assert samples.wants(INVENTORY, dict(observation.reports))["m2"].keys == {CA: "it is another CA's"}
    (line,) = (one for one in status_of(INVENTORY, observation).lines if CA in one)
    assert line.startswith(f"m2: {CA} is not the cluster's CA (somebody replaced it); fix: `haplane up")


def test_a_worker_whose_ca_somebody_replaced_is_not_called_another_clusters():
    unusable = {host_paths.KUBELET_KUBECONFIG: OTHER_CA}
    observation = with_ca("w1", WORKERS, OTHER, unusable=unusable)
    digest = observation.reports["m1"].files[WORKERS].sha256
    assert workers_of_another_cluster(digest, ("w1",), observation.reports, WORKERS) == []
    assert samples.wants(INVENTORY, dict(observation.reports))["w1"].keys == {WORKERS: "it is another CA's"}
    lines = [one for one in status_of(INVENTORY, observation).lines if "w1: " in one]
    assert [one.partition(" (")[0] for one in lines] == [f"w1: {WORKERS} is not the cluster's CA"]
    strange = with_ca("w1", WORKERS, OTHER)
    assert len(workers_of_another_cluster(digest, ("w1",), strange.reports, WORKERS)) == 1
