from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from haplane.checks.certificates import ca_disagreements, certificate_problems, expected_certificates
from haplane.config.load import load_inventory
from haplane.domain import host_paths
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.pki.etcd_certificates import apiserver_client_files, etcd_server_files, healthcheck_client_files
from haplane.pki.issue import Usage, issue
from haplane.pki.kubelet_certificates import kubelet_serving_files

NOW = datetime.now(UTC)
INVENTORY = load_inventory(Path(__file__).parents[2] / "inventories" / "lab.py")
M1 = INVENTORY.masters[0]
IDENTITY = ClusterIdentity.generate("demo", NOW)
APISERVER = host_paths.APISERVER_CRT


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
        host_paths.APISERVER_KUBELET_CLIENT_CRT: "kube-apiserver-kubelet-client",
        host_paths.ADMIN_KUBECONFIG: "kubernetes-admin",
        host_paths.CONTROLLER_MANAGER_KUBECONFIG: "system:kube-controller-manager",
        host_paths.SCHEDULER_KUBECONFIG: "system:kube-scheduler",
        host_paths.KUBELET_CLIENT_PEM: "system:node:m1",
    }
    front_proxy = issue(identity.front_proxy, "front-proxy-client", usages=both, now=now).certificate
    files = {
        **identity.to_files(),
        **etcd_server_files(identity, "m1", M1.address, now),
        **healthcheck_client_files(identity, now),
        **apiserver_client_files(identity, now),
        **kubelet_serving_files(identity.kubernetes, "m1", M1.address, now),
        **{path: issue(identity.kubernetes, user, usages=both, now=now).certificate for path, user in users.items()},
        APISERVER: apiserver.certificate,
        host_paths.FRONT_PROXY_CLIENT_CRT: front_proxy,
    }
    return {path: pem.decode() for path, pem in files.items() if b"BEGIN CERTIFICATE" in pem}


GOOD = a_master(IDENTITY, NOW)
EXPECTED = expected_certificates(INVENTORY, M1)


def test_a_fresh_master_is_in_order():
    assert certificate_problems(GOOD, EXPECTED, NOW) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({APISERVER: GOOD[host_paths.APISERVER_KUBELET_CLIENT_CRT]}, "is not valid for"),
        ({APISERVER: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, "not a certificate"),
        (
            {host_paths.ADMIN_KUBECONFIG: GOOD[host_paths.KUBELET_CLIENT_PEM]},
            "is issued to 'system:node:m1', not to 'kubernetes-admin'",
        ),
        (
            {f"{host_paths.ETCD_SERVER_STEM}.crt": a_master(ClusterIdentity.generate("demo", NOW), NOW)[APISERVER]},
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
    without = {path: pem for path, pem in GOOD.items() if path != host_paths.KUBELET_CLIENT_PEM}
    assert certificate_problems(without, EXPECTED, NOW) == [
        f"{host_paths.KUBELET_CLIENT_PEM} is absent or contains no certificate"
    ]


@pytest.mark.parametrize(
    ("days", "complaint"), [(357, None), (359, "expires in 6.0 days"), (367, "expired 2 days ago")]
)
def test_days_left(days, complaint):
    problems = certificate_problems(GOOD, EXPECTED, NOW + timedelta(days=days))
    leaves = [problem for problem in problems if problem.startswith(APISERVER)]
    assert leaves == ([] if complaint is None else [f"{APISERVER} {complaint}"])


def test_cas_that_differ_are_reported_with_their_hosts():
    other = a_master(ClusterIdentity.generate("demo", NOW), NOW)
    member = {host_paths.ETCD_MEMBER_CA_CRT: GOOD[host_paths.ETCD_MEMBER_CA_CRT]}
    assert ca_disagreements({"m1": GOOD, "m2": GOOD, "e1": member}) == []
    problems = ca_disagreements({"m1": GOOD, "m2": GOOD, "m3": other, "e1": member})
    assert "the Kubernetes CA differs: m1, m2 | m3" in problems
    assert "the etcd CA differs: m1, m2, e1 | m3" in problems
