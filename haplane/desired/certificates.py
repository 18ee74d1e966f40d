"""The certificates that hosts showed, by the clock of the controller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime

from haplane.config.model import Host, Inventory
from haplane.desired.keys import KUBEADM_CERTIFICATES, certificate_stems
from haplane.domain import host_paths
from haplane.domain.observed import HostReport
from haplane.domain.status import Certificate, Renewer
from haplane.errors import Refused
from haplane.pki.certificates import CertificateFacts

CLIENTS = (
    host_paths.ADMIN_KUBECONFIG,
    host_paths.SUPER_ADMIN_KUBECONFIG,
    *host_paths.COMPONENT_KUBECONFIGS,
    host_paths.KUBELET_KUBECONFIG,
    host_paths.KUBELET_CLIENT_PEM,
)
"""What logs in to API servers with a certificate."""


def readable(name: str, report: HostReport) -> Iterator[tuple[str, CertificateFacts]]:
    """Path and facts of each that the host ``name`` showed and that can be read."""
    for path, pem in report.certificates.items():
        try:
            yield path, CertificateFacts.from_pem(pem.encode(), f"{name}:{path}")
        except Refused:
            continue


def expired_paths(report: HostReport, now: datetime) -> frozenset[str]:
    """Paths of the host's certificates that have expired, embedded ones by the file that embeds them."""
    return frozenset(path for path, facts in readable("", report) if facts.not_after <= now)


def every_certificate(
    inventory: Inventory, reports: Mapping[str, HostReport], now: datetime
) -> tuple[Certificate, ...]:
    """All on all hosts that answered, the first to expire first; the plan replaces one that cannot be read."""
    hosts = {host.name: host for host in inventory.everyone}
    ca = _kubernetes_ca(inventory, reports)
    found = [
        Certificate(
            host=name,
            path=path,
            subject=facts.subject,
            issuer=facts.issuer,
            not_after=facts.not_after,
            days_left=facts.days_left(now),
            renewed_by=_renewer(inventory, hosts[name], path),
            is_authority=facts.is_ca,
            counts=not _nobody_verifies(path, facts),
            foreign=ca is not None and path in CLIENTS and not facts.issued_by(ca),
        )
        for name, report in reports.items()
        if name in hosts
        for path, facts in readable(name, report)
    ]
    return tuple(sorted(found, key=lambda one: (one.not_after, one.host, one.path)))


def _kubernetes_ca(inventory: Inventory, reports: Mapping[str, HostReport]) -> CertificateFacts | None:
    """As most masters show it."""
    masters = [reports[host.name] for host in inventory.masters if host.name in reports]
    counted = Counter(pem for report in masters if (pem := report.certificates.get(host_paths.KUBERNETES_CA_CRT)))
    for pem, _ in counted.most_common(1):
        with suppress(Refused):
            return CertificateFacts.from_pem(pem.encode())
    return None


def _nobody_verifies(path: str, facts: CertificateFacts) -> bool:
    """A kubelet that finds no serving certificate signs one itself."""
    return path == host_paths.KUBELET_SERVING_CRT and facts.issuer.startswith("CN=") and "-ca@" in facts.issuer


def _renewer(inventory: Inventory, host: Host, path: str) -> Renewer:
    if path == host_paths.KUBELET_CLIENT_PEM:
        return Renewer.KUBELET
    ours = {f"{stem}.crt" for stem in certificate_stems(inventory, host)} | {host_paths.ETCD_HAPROXY_PEM}
    if host in inventory.masters:
        ours |= set(KUBEADM_CERTIFICATES.values())
    return Renewer.UP if path in ours else Renewer.NOBODY
