from datetime import timedelta
from ipaddress import IPv4Address

import pytest
import samples

from haplane.desired.certificates import every_certificate, expired_paths
from haplane.desired.keys import ASKED, KUBEADM_CERTIFICATES
from haplane.domain import host_paths
from haplane.domain.status import Renewer, certificate_problems, summarise_certificates
from haplane.pki.ca import new_ca
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.pki.etcd_certificates import etcd_server_files
from haplane.pki.issue import Usage, issue
from haplane.pki.kubelet_certificates import kubelet_client

INVENTORY = samples.inventory(workers=1)
SERVER, ADMIN = f"{host_paths.ETCD_SERVER_STEM}.crt", KUBEADM_CERTIFICATES["admin.conf"]
CA = host_paths.KUBERNETES_CA_CRT
CONF = (ADMIN, *host_paths.COMPONENT_KUBECONFIGS)


def shown(**of_hosts):
    observation = samples.converged(INVENTORY)
    for name, certificates in of_hosts.items():
        observation = samples.altered(observation, name, certificates=certificates)
    return observation.reports


def test_every_certificate_is_listed_with_who_renews_it_and_what_cannot_be_read_is_left_out():
    server = samples.leaves(INVENTORY.masters[0])[SERVER].decode()
    admin = kubelet_client(samples.identity().kubernetes, "admin", samples.NOW - timedelta(days=0)).certificate
    authority = samples.identity().kubernetes.certificate.decode()
    reports = shown(
        m1={SERVER: server, ADMIN: admin.decode(), CA: authority, "/etc/odd.crt": "no certificate"},
        w1={host_paths.KUBELET_CLIENT_PEM: samples.kubelet_pem("w1"), "/etc/kubernetes/pki/mine.crt": server},
    )
    found = {
        one.file: one.renewed_by
        for one in every_certificate(INVENTORY, reports, samples.NOW)
        if one.host in ("m1", "w1")
    }
    assert found == {
        f"m1:{SERVER}": Renewer.UP,
        f"m1:{ADMIN}": Renewer.UP,
        f"m1:{CA}": Renewer.NOBODY,
        f"w1:{host_paths.KUBELET_CLIENT_PEM}": Renewer.KUBELET,
        "w1:/etc/kubernetes/pki/mine.crt": Renewer.NOBODY,
    }
    last = every_certificate(INVENTORY, reports, samples.NOW)[-1]
    assert (last.path, last.is_authority) == (CA, True)


def test_expired_is_judged_by_the_controllers_clock():
    report = shown()["w1"]
    assert expired_paths(report, samples.NOW) == frozenset()
    assert expired_paths(report, samples.NOW + timedelta(days=366)) == {host_paths.KUBELET_CLIENT_PEM}


def test_renew_has_all_due_that_are_there_and_none_of_the_kubelets_own():
    authority = {host_paths.KUBERNETES_CA_CRT: samples.identity().kubernetes.certificate.decode()}
    server = {SERVER: samples.leaves(INVENTORY.masters[0])[SERVER].decode()}
    reports = shown(m1=authority | server | {host_paths.KUBELET_CLIENT_PEM: samples.kubelet_pem("m1")})
    wants = samples.wants(INVENTORY, dict(reports), renew=True)["m1"]
    assert wants.keys == {SERVER: ASKED, f"{host_paths.ETCD_SERVER_STEM}.key": ASKED}
    assert set(KUBEADM_CERTIFICATES) - {"front-proxy-client"} <= set(wants.certificates)
    assert wants.kubelet_client is None


def test_kubeconfigs_that_get_their_users_nowhere_are_made_anew_and_kubelets_too():
    authority = {CA: samples.identity().kubernetes.certificate.decode()}
    conf = {
        path: kubelet_client(samples.identity().kubernetes, "m1", samples.NOW).certificate.decode() for path in CONF
    }
    why = "its key does not match its certificate"
    broken = (ADMIN, host_paths.SCHEDULER_KUBECONFIG, host_paths.KUBELET_KUBECONFIG)
    sound = samples.altered(
        samples.converged(INVENTORY), "m1", certificates=shown()["m1"].certificates | authority | conf
    )
    kubeconfigs = {"admin.conf", "controller-manager.conf", "scheduler.conf"}
    assert not kubeconfigs & samples.wants(INVENTORY, dict(sound.reports))["m1"].certificates.keys()
    reports = samples.altered(sound, "m1", unusable=dict.fromkeys(broken, why)).reports
    wants = samples.wants(INVENTORY, dict(reports))["m1"]
    assert {name: why for name, why in wants.certificates.items() if name in kubeconfigs} == {
        "admin.conf": why, "scheduler.conf": why,
    }  # fmt: skip
    assert wants.kubelet_client == f"{host_paths.KUBELET_KUBECONFIG}: {why}"


def test_a_client_certificate_of_another_ca_is_a_problem():
    other = ClusterIdentity.generate("other", samples.NOW).kubernetes
    authority = {CA: samples.identity().kubernetes.certificate.decode()}
    ours, theirs = (
        kubelet_client(ca, "m1", samples.NOW).certificate.decode() for ca in (samples.identity().kubernetes, other)
    )
    reports = shown(
        m1=authority | {ADMIN: ours}, m2=authority | {ADMIN: theirs, "/etc/kubernetes/pki/mine.crt": theirs}
    )
    found = summarise_certificates(every_certificate(INVENTORY, reports, samples.NOW))
    assert [one.file for one in found.foreign] == [f"m2:{ADMIN}"]
    [problem] = certificate_problems(found, "i.py")
    assert str(problem) == f"m2:{ADMIN} was not issued by the cluster's CA; fix: `haplane up i.py`"


CAS = {
    CA: samples.identity().kubernetes.certificate.decode(),
    host_paths.ETCD_CA_CRT: samples.identity().etcd.certificate.decode(),
}
APISERVER, TO_KUBELETS = host_paths.APISERVER_CRT, host_paths.APISERVER_KUBELET_CLIENT_CRT
CLIENT = host_paths.KUBELET_CLIENT_PEM


def server(*, ca=None, names=("10.0.0.10", "127.0.0.1", "10.0.0.21"), when=samples.NOW):
    addresses = map(IPv4Address, names)
    made = issue(
        ca or samples.identity().kubernetes, "kube-apiserver", usages=(Usage.SERVER,), addresses=addresses, now=when
    )
    return made.certificate.decode()


def of_another_host():
    host = INVENTORY.masters[1]
    return etcd_server_files(samples.identity(), host.name, host.address, samples.NOW)[SERVER].decode()


@pytest.mark.parametrize(
    ("path", "pem", "why"),
    [
        (APISERVER, server(), None),
        (APISERVER, server(names=("127.0.0.1", "10.0.0.21")), "it does not name 10.0.0.10"),
        (APISERVER, server(when=samples.NOW + timedelta(days=2)), "it is not valid before 2026-07-03 11:55 UTC"),
        (APISERVER, server(ca=new_ca("kubernetes", now=samples.NOW)), "it was not issued by CN=kubernetes"),
        (TO_KUBELETS, server(ca=new_ca("other", now=samples.NOW)), "it was not issued by"),
        (SERVER, of_another_host(), "it does not name 10.0.0.21, m1"),
        (CLIENT, samples.kubelet_pem("m2"), "it is system:node:m2's"),
        (CLIENT, samples.kubelet_pem("m1", samples.NOW + timedelta(days=2)), "it is not valid before"),
    ],
)
def test_a_certificate_that_nobody_takes_is_named_though_it_holds_for_long(path, pem, why):
    """Whoever serves with it has another one in memory, or is asked by those alone that do not look."""
    reports = shown(m1=CAS | {path: pem}, m2=CAS, m3=CAS)
    found = summarise_certificates(every_certificate(INVENTORY, reports, samples.NOW))
    problems = [str(one) for one in certificate_problems(found, "x.py") if path in str(one)]
    assert len(problems) == (why is not None)
    for line in problems:
        assert line.startswith(f"m1:{path} is not accepted by those it is for ({why}")
        assert line.endswith("; fix: `haplane up x.py`")


def test_up_issues_a_kubelet_anew_what_is_another_nodes():
    reports = shown(m1=CAS | {CLIENT: samples.kubelet_pem("m2")})
    assert samples.wants(INVENTORY, dict(reports))["m1"].kubelet_client == "it is system:node:m2's"
