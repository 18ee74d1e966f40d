"""Which certificates a host must have, and what is wrong with those it has. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from haplane.config.model import Host, Inventory
from haplane.domain import host_paths
from haplane.errors import Refused
from haplane.pki.certificates import CertificateFacts

DAYS_LEFT = 7  # kubelets renew long before that


@dataclass(frozen=True)
class Expected:
    """A certificate at ``path``, issued by the one at ``ca``, valid for all ``names``.

    ``common_name`` is its user in Kubernetes, None where it does not matter.
    """

    path: str
    ca: str
    names: frozenset[str] = frozenset()
    common_name: str | None = None


def expected_certificates(inventory: Inventory, host: Host) -> tuple[Expected, ...]:
    """What ``host`` must have for its roles."""
    expected: list[Expected] = []
    if host in inventory.masters:
        expected += _masters(inventory, host)
    if host in inventory.nodes:
        expected.append(
            Expected(
                host_paths.KUBELET_CLIENT_PEM, host_paths.KUBERNETES_CA_CRT, common_name=f"system:node:{host.name}"
            )
        )
        expected.append(
            Expected(
                host_paths.KUBELET_SERVING_CRT,
                host_paths.KUBERNETES_CA_CRT,
                frozenset({host.name, str(host.address)}),
            )
        )
    if host in inventory.etcd:
        ca = host_paths.ETCD_MEMBER_CA_CRT
        names = frozenset({host.name, "localhost", "127.0.0.1", str(host.address)})
        expected += [
            Expected(f"{stem}.crt", ca, names) for stem in (host_paths.ETCD_SERVER_STEM, host_paths.ETCD_PEER_STEM)
        ]
        expected.append(Expected(f"{host_paths.ETCD_HEALTHCHECK_CLIENT_STEM}.crt", ca))
    return tuple(expected)


def _masters(inventory: Inventory, host: Host) -> list[Expected]:
    cluster = inventory.cluster
    pki = host_paths.KUBERNETES_PKI
    names = {
        host.name,
        str(host.address),
        cluster.endpoint.address,
        str(cluster.service_network[1]),
        "kubernetes",
        f"kubernetes.default.svc.{cluster.dns_domain}",
    }
    return [
        Expected(f"{pki}/apiserver.crt", host_paths.KUBERNETES_CA_CRT, frozenset(names)),
        Expected(f"{pki}/apiserver-kubelet-client.crt", host_paths.KUBERNETES_CA_CRT),
        Expected(f"{pki}/front-proxy-client.crt", f"{host_paths.FRONT_PROXY_CA_STEM}.crt"),
        Expected(host_paths.APISERVER_ETCD_CLIENT_CRT, host_paths.ETCD_CA_CRT),
        Expected(host_paths.ADMIN_KUBECONFIG, host_paths.KUBERNETES_CA_CRT, common_name="kubernetes-admin"),
        Expected(
            host_paths.CONTROLLER_MANAGER_KUBECONFIG,
            host_paths.KUBERNETES_CA_CRT,
            common_name="system:kube-controller-manager",
        ),
        Expected(host_paths.SCHEDULER_KUBECONFIG, host_paths.KUBERNETES_CA_CRT, common_name="system:kube-scheduler"),
    ]


def certificate_problems(found: Mapping[str, str], expected: Sequence[Expected], now: datetime) -> list[str]:
    """What is wrong with one host's certificates (PEM by path), one sentence each."""
    facts: dict[str, CertificateFacts] = {}
    problems: list[str] = []
    for path, pem in found.items():
        try:
            facts[path] = CertificateFacts.from_pem(pem.encode(), path)
        except Refused as refused:
            problems.append(f"{path}: {refused.what}")
    damaged = set(found) - set(facts)
    for path, certificate in facts.items():
        problems += [f"{path} {problem}" for problem in _times(certificate, now)]
    for wanted in expected:
        if wanted.path not in damaged:
            problems += [f"{wanted.path} {problem}" for problem in _differences(facts, wanted)]
    return problems


def _times(certificate: CertificateFacts, now: datetime) -> Iterator[str]:
    days = certificate.days_left(now)
    if days < 0:
        yield f"expired {-days:.0f} days ago"
    elif days < DAYS_LEFT:
        yield f"expires in {days:.1f} days"
    if now < certificate.not_before:
        yield f"is not valid before {certificate.not_before:%Y-%m-%d %H:%M} UTC"


def _differences(facts: Mapping[str, CertificateFacts], expected: Expected) -> Iterator[str]:
    certificate = facts.get(expected.path)
    ca = facts.get(expected.ca)
    if certificate is None:
        yield "is absent or contains no certificate"
        return
    if ca is None:
        yield f"cannot be verified: {expected.ca} is absent"
    elif not certificate.issued_by(ca):
        yield f"was not issued by {expected.ca}"
    if missing := certificate.missing_names(expected.names):
        yield f"is not valid for {', '.join(sorted(missing))}"
    if expected.common_name not in (None, certificate.common_name):
        yield f"is issued to {certificate.common_name!r}, not to {expected.common_name!r}"


def ca_disagreements(found: Mapping[str, Mapping[str, str]]) -> list[str]:
    """CAs that are not the same on all hosts; ``found`` is PEM by path by host name.

    etcd's CA is at one path on masters and at another on members.
    """
    cas = (
        ("Kubernetes", (host_paths.KUBERNETES_CA_CRT,)),
        ("front-proxy", (f"{host_paths.FRONT_PROXY_CA_STEM}.crt",)),
        ("etcd", (host_paths.ETCD_CA_CRT, host_paths.ETCD_MEMBER_CA_CRT)),
    )
    problems: list[str] = []
    for name, places in cas:
        held: dict[str, list[str]] = {}
        for host, certificates in found.items():
            for pem in {certificates[path] for path in places if path in certificates}:
                held.setdefault(pem, []).append(host)
        if len(held) > 1:
            groups = " | ".join(", ".join(hosts) for hosts in held.values())
            problems.append(f"the {name} CA differs: {groups}")
    return problems
