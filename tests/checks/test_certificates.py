from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from haplane.checks.certificates import authority_disagreements, certificate_problems, expected_certificates
from haplane.checks.questions import ADMIN, KUBELET_CLIENT
from haplane.config.load import load_inventory
from haplane.pki import paths
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.pki.etcd_leaves import apiserver_client_files, etcd_server_files, healthcheck_client_files
from haplane.pki.leaf import Usage, issue

NOW = datetime.now(UTC)
INVENTORY = load_inventory(Path(__file__).parents[2] / "inventories" / "lab.py")
M1 = INVENTORY.masters[0]
IDENTITY = ClusterIdentity.generate("demo", NOW)
APISERVER = f"{paths.KUBERNETES_PKI}/apiserver.crt"


def a_master(identity: ClusterIdentity, now: datetime) -> dict[str, str]:
    """The certificates of m1 as kubeadm and haplane leave them."""
    both = (Usage.SERVER, Usage.CLIENT)
    cluster = INVENTORY.cluster
    apiserver = issue(
        identity.kubernetes,
        "kube-apiserver",
        dns_names=("m1", "kubernetes", "kubernetes.default.svc.cluster.local"),
        addresses=(M1.address, cluster.service_network[1], type(M1.address)(cluster.endpoint.address)),
        usages=both,
        now=now,
    )
    users = {
        f"{paths.KUBERNETES_PKI}/apiserver-kubelet-client.crt": "kube-apiserver-kubelet-client",
        ADMIN: "kubernetes-admin",
        "/etc/kubernetes/controller-manager.conf": "system:kube-controller-manager",
        "/etc/kubernetes/scheduler.conf": "system:kube-scheduler",
        KUBELET_CLIENT: "system:node:m1",
    }
    front_proxy = issue(identity.front_proxy, "front-proxy-client", usages=both, now=now).certificate
    files = {
        **identity.to_files(),
        **etcd_server_files(identity, "m1", M1.address, now),
        **healthcheck_client_files(identity, now),
        **apiserver_client_files(identity, now),
        **{path: issue(identity.kubernetes, user, usages=both, now=now).certificate for path, user in users.items()},
        APISERVER: apiserver.certificate,
        f"{paths.KUBERNETES_PKI}/front-proxy-client.crt": front_proxy,
    }
    return {path: pem.decode() for path, pem in files.items() if b"BEGIN CERTIFICATE" in pem}


GOOD = a_master(IDENTITY, NOW)
EXPECTED = expected_certificates(INVENTORY, M1)


def test_a_fresh_master_is_in_order():
    assert certificate_problems(GOOD, EXPECTED, NOW) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({APISERVER: GOOD[f"{paths.KUBERNETES_PKI}/apiserver-kubelet-client.crt"]}, "does not name"),
        ({APISERVER: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, "not a certificate"),
        ({ADMIN: GOOD[KUBELET_CLIENT]}, "is 'system:node:m1', not 'kubernetes-admin'"),
        (
            {f"{paths.ETCD_SERVER}.crt": a_master(ClusterIdentity.generate("demo", NOW), NOW)[APISERVER]},
            "not issued by",
        ),
    ],
)
def test_what_is_wrong_is_named(change, complaint):
    (path,) = change
    problems = certificate_problems({**GOOD, **change}, EXPECTED, NOW)
    assert any(problem.startswith(path) and complaint in problem for problem in problems)
    assert all(problem.startswith(path) for problem in problems)


def test_an_absent_certificate_is_named():
    without = {path: pem for path, pem in GOOD.items() if path != KUBELET_CLIENT}
    assert certificate_problems(without, EXPECTED, NOW) == [f"{KUBELET_CLIENT} is absent or holds no certificate"]


@pytest.mark.parametrize(
    ("days", "complaint"), [(357, None), (359, "expires in 6.0 days"), (367, "expired 2 days ago")]
)
def test_days_left(days, complaint):
    problems = certificate_problems(GOOD, EXPECTED, NOW + timedelta(days=days))
    leaves = [problem for problem in problems if problem.startswith(APISERVER)]
    assert leaves == ([] if complaint is None else [f"{APISERVER} {complaint}"])


def test_authorities_that_differ_are_told_with_their_camps():
    other = a_master(ClusterIdentity.generate("demo", NOW), NOW)
    member = {paths.ETCD_MEMBER_AUTHORITY: GOOD[paths.ETCD_MEMBER_AUTHORITY]}
    assert authority_disagreements({"m1": GOOD, "m2": GOOD, "e1": member}) == []
    problems = authority_disagreements({"m1": GOOD, "m2": GOOD, "m3": other, "e1": member})
    assert "the Kubernetes authority differs: m1, m2 against m3" in problems
    assert "the etcd authority differs: m1, m2, e1 against m3" in problems
