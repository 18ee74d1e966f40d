"""The certificates that hosts showed, by the clock of the controller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime

from haplane.config.model import Host, Inventory
from haplane.desired.keys import KUBEADM_CERTIFICATES, certificate_stems, flaws
from haplane.domain import host_paths
from haplane.domain.observed import HostReport
from haplane.domain.status import Certificate, Renewer
from haplane.errors import Refused
from haplane.pki.certificates import CertificateFacts
from haplane.pki.kubelet_certificates import client_flaw

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
    cas = _authorities(inventory, reports)
    ca = cas.get(host_paths.KUBERNETES_CA_STEM)
    flawed = {
        name: _flaws(inventory, hosts[name], report, cas, now) for name, report in reports.items() if name in hosts
    }
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
            flaw=flawed[name].get(path, ""),
        )
        for name, report in reports.items()
        if name in hosts
        for path, facts in readable(name, report)
    ]
    return tuple(sorted(found, key=lambda one: (one.not_after, one.host, one.path)))


def _authorities(inventory: Inventory, reports: Mapping[str, HostReport]) -> dict[str, CertificateFacts]:
    """The cluster's CAs by their stems, as most masters show each."""
    masters = [reports[host.name] for host in inventory.masters if host.name in reports]
    found = {}
    for stem in (host_paths.KUBERNETES_CA_STEM, host_paths.FRONT_PROXY_CA_STEM, host_paths.ETCD_CA_STEM):
        counted = Counter(pem for report in masters if (pem := report.certificates.get(f"{stem}.crt")))
        for pem, _ in counted.most_common(1):
            with suppress(Refused):
                found[stem] = CertificateFacts.from_pem(pem.encode())
    return found


def _flaws(
    inventory: Inventory, host: Host, report: HostReport, cas: Mapping[str, CertificateFacts], now: datetime
) -> dict[str, str]:
    """With the kubelet's client certificate, which is the kubelet's own to renew."""
    found = flaws(inventory, host, report, now, cas)
    pem, ca = report.certificates.get(host_paths.KUBELET_CLIENT_PEM), cas.get(host_paths.KUBERNETES_CA_STEM)
    if pem and ca is not None and host in inventory.nodes:
        with suppress(Refused):
            if why := client_flaw(CertificateFacts.from_pem(pem.encode()), ca, host.name, now):
                found[host_paths.KUBELET_CLIENT_PEM] = why
    return found


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
