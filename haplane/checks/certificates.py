"""Which certificates a host must have, and what is wrong with those it has. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from haplane.checks.questions import ADMIN, CA, KUBELET_CLIENT
from haplane.config.model import Host, Inventory
from haplane.errors import Refused
from haplane.pki import paths
from haplane.pki.certificates import CertificateFacts

DAYS_LEFT = 7  # kubelets renew long before; whatever comes this close was not renewed by anybody
ETCD_CA = f"{paths.ETCD_AUTHORITY}.crt"


@dataclass(frozen=True)
class Expected:
    """A certificate at ``path``, issued by the one at ``authority``, that speaks for all ``names``.

    ``common_name`` is the user Kubernetes takes its holder for, or None where it does not matter.
    """

    path: str
    authority: str
    names: frozenset[str] = frozenset()
    common_name: str | None = None


def expected_certificates(inventory: Inventory, host: Host) -> tuple[Expected, ...]:
    """What ``host`` must have for its roles."""
    expected: list[Expected] = []
    if host in inventory.masters:
        expected += _masters(inventory, host)
    if host in inventory.nodes:
        expected.append(Expected(KUBELET_CLIENT, CA, common_name=f"system:node:{host.name}"))
    if host in inventory.etcd:
        authority = paths.ETCD_MEMBER_AUTHORITY
        names = frozenset({host.name, "localhost", "127.0.0.1", str(host.address)})
        expected += [Expected(f"{stem}.crt", authority, names) for stem in (paths.ETCD_SERVER, paths.ETCD_PEER)]
        expected.append(Expected(f"{paths.ETCD_HEALTHCHECK_CLIENT}.crt", authority))
    return tuple(expected)


def _masters(inventory: Inventory, host: Host) -> list[Expected]:
    cluster = inventory.cluster
    pki = paths.KUBERNETES_PKI
    names = {
        host.name,
        str(host.address),
        cluster.endpoint.address,
        str(cluster.service_network[1]),
        "kubernetes",
        f"kubernetes.default.svc.{cluster.dns_domain}",
    }
    return [
        Expected(f"{pki}/apiserver.crt", CA, frozenset(names)),
        Expected(f"{pki}/apiserver-kubelet-client.crt", CA),
        Expected(f"{pki}/front-proxy-client.crt", f"{paths.FRONT_PROXY_AUTHORITY}.crt"),
        Expected(f"{paths.APISERVER_ETCD_CLIENT}.crt", ETCD_CA),
        Expected(ADMIN, CA, common_name="kubernetes-admin"),
        Expected("/etc/kubernetes/controller-manager.conf", CA, common_name="system:kube-controller-manager"),
        Expected("/etc/kubernetes/scheduler.conf", CA, common_name="system:kube-scheduler"),
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
        problems += [f"{path} {complaint}" for complaint in _times(certificate, now)]
    for wanted in expected:
        if wanted.path not in damaged:
            problems += [f"{wanted.path} {complaint}" for complaint in _differences(facts, wanted)]
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
    authority = facts.get(expected.authority)
    if certificate is None:
        yield "is absent or holds no certificate"
        return
    if authority is None:
        yield f"cannot be judged: {expected.authority} is absent"
    elif not certificate.issued_by(authority):
        yield f"was not issued by {expected.authority}"
    if missing := certificate.missing_names(expected.names):
        yield f"does not name {', '.join(sorted(missing))}"
    if expected.common_name not in (None, certificate.common_name):
        yield f"is {certificate.common_name!r}, not {expected.common_name!r}"


def authority_disagreements(found: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Authorities that are not the same on all hosts; ``found`` is PEM by path by host name.

    etcd's own authority lies at two places: that of masters and that of members.
    """
    authorities = (
        ("Kubernetes", (CA,)),
        ("front-proxy", (f"{paths.FRONT_PROXY_AUTHORITY}.crt",)),
        ("etcd", (ETCD_CA, paths.ETCD_MEMBER_AUTHORITY)),
    )
    problems: list[str] = []
    for name, places in authorities:
        held: dict[str, list[str]] = {}
        for host, certificates in found.items():
            for pem in {certificates[path] for path in places if path in certificates}:
                held.setdefault(pem, []).append(host)
        if len(held) > 1:
            camps = " against ".join(", ".join(hosts) for hosts in held.values())
            problems.append(f"the {name} authority differs: {camps}")
    return problems
