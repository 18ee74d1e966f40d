"""Which keys and certificates belong on which host, when they are due, and what is in them.

A machine that is only an etcd member holds no Kubernetes key, and of the cluster's others the signing one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from haplane.config.model import Host, Inventory
from haplane.desired.files import certificate_names
from haplane.domain.files import Part, WantedFile
from haplane.domain.observed import HostReport
from haplane.domain.plan import HAPROXY_CLIENT
from haplane.errors import Refused
from haplane.pki import paths
from haplane.pki.certificates import CertificateFacts
from haplane.pki.cluster_identity import IDENTITY_PATHS, ClusterIdentity
from haplane.pki.etcd_leaves import (
    apiserver_client_files,
    etcd_server_files,
    healthcheck_client_files,
    reason_to_reissue,
)

SERVER_STEMS = (paths.ETCD_SERVER, paths.ETCD_PEER)
KUBEADM_CERTIFICATES = {
    "apiserver": f"{paths.KUBERNETES_PKI}/apiserver.crt",
    "apiserver-kubelet-client": f"{paths.KUBERNETES_PKI}/apiserver-kubelet-client.crt",
    "front-proxy-client": f"{paths.KUBERNETES_PKI}/front-proxy-client.crt",
    "admin.conf": "/etc/kubernetes/admin.conf",
    "controller-manager.conf": "/etc/kubernetes/controller-manager.conf",
    "scheduler.conf": "/etc/kubernetes/scheduler.conf",
}
"""What kubeadm makes on a master besides the kubelet's, which renews its own, by kubeadm's names."""


def key_paths(inventory: Inventory, host: Host) -> tuple[str, ...]:
    """Every key and certificate that haplane puts on the host; kubeadm makes the others there."""
    found: list[str] = []
    if host in inventory.masters:
        found += [*IDENTITY_PATHS, *_pair(paths.APISERVER_ETCD_CLIENT)]
    if host in inventory.etcd:
        found += [path for stem in SERVER_STEMS for path in _pair(stem)]
    if host in inventory.etcd or _dials_etcd_through_haproxy(inventory, host):
        found += [paths.ETCD_MEMBER_AUTHORITY, *_pair(paths.ETCD_HEALTHCHECK_CLIENT)]
    if _dials_etcd_through_haproxy(inventory, host):
        found.append(HAPROXY_CLIENT)
    if host in inventory.etcd and inventory.cluster.snapshots is not None:
        found.append(paths.MEMBER_SIGNING)
    return tuple(found)


def leaf_stems(inventory: Inventory, host: Host) -> tuple[str, ...]:
    """Those of :func:`key_paths` that expire, without their endings."""
    found = {path.removesuffix(".crt") for path in key_paths(inventory, host) if path.endswith(".crt")}
    authorities = {
        paths.KUBERNETES_AUTHORITY,
        paths.FRONT_PROXY_AUTHORITY,
        paths.ETCD_AUTHORITY,
        paths.ETCD_MEMBER_AUTHORITY.removesuffix(".crt"),
    }
    return tuple(sorted(found - authorities))


def due_keys(
    inventory: Inventory, host: Host, report: HostReport, etcd_authority: bytes, now: datetime
) -> dict[str, str]:
    """Leaves on the host that must be issued anew, with the reason; absent ones are the plan's to find."""
    authority = CertificateFacts.from_pem(etcd_authority, "etcd's authority")
    due: dict[str, str] = {}
    for stem in leaf_stems(inventory, host):
        pem = report.certificates.get(f"{stem}.crt")
        if pem is None:
            continue
        why = _reason(pem, f"{host.name}:{stem}.crt", authority, _names(host, stem), now)
        if why is not None:
            due |= dict.fromkeys(_pair(stem), why)
            if stem == paths.ETCD_HEALTHCHECK_CLIENT and _dials_etcd_through_haproxy(inventory, host):
                due[HAPROXY_CLIENT] = why
    return due


def due_certificates(inventory: Inventory, host: Host, report: HostReport, now: datetime) -> dict[str, str]:
    """Those of KUBEADM_CERTIFICATES that a master has to have made anew, with the reason.

    Nothing on a master that does not show the authorities: it has not been through kubeadm, or gets all keys anew.
    """
    due: dict[str, str] = {}
    for name, path in KUBEADM_CERTIFICATES.items() if host in inventory.masters else ():
        stem = paths.FRONT_PROXY_AUTHORITY if name == "front-proxy-client" else paths.KUBERNETES_AUTHORITY
        try:
            authority = CertificateFacts.from_pem(report.certificates.get(f"{stem}.crt", "").encode(), stem)
        except Refused:
            continue
        pem = report.certificates.get(path)
        names = frozenset(certificate_names(inventory)) if name == "apiserver" else frozenset()
        why = "not there" if pem is None else _reason(pem, f"{host.name}:{path}", authority, names, now)
        if why is not None:
            due[name] = why
    return due


def key_files(
    inventory: Inventory, host: Host, identity: ClusterIdentity, due: Iterable[str], now: datetime
) -> tuple[WantedFile, ...]:
    """The due ones as files; a certificate is never given without its key, nor a key without its certificate."""
    files = dict(identity.to_files()) if host in inventory.masters else {}
    if host in inventory.masters:
        files |= apiserver_client_files(identity, now)
    if host in inventory.etcd:
        files |= etcd_server_files(identity, host.name, host.address, now)
    files |= healthcheck_client_files(identity, now)
    healthcheck = (files[path] for path in _pair(paths.ETCD_HEALTHCHECK_CLIENT))
    files[HAPROXY_CLIENT] = b"".join(healthcheck)
    files[paths.MEMBER_SIGNING] = identity.signing.private_key
    stems = {_stem(path) for path in due}
    wanted = (path for path in key_paths(inventory, host) if _stem(path) in stems)
    return tuple(_secret(path, files[path]) for path in wanted)


def _secret(path: str, content: bytes) -> WantedFile:
    private = paths.is_private(path) or path == HAPROXY_CLIENT
    part = Part.ETCD if path.startswith(paths.ETCD_PKI) else Part.CONTROL_PLANE
    return WantedFile(path, content, part, 0o600 if private else 0o644, secret=private)


def _reason(pem: str, source: str, authority: CertificateFacts, names: frozenset[str], now: datetime) -> str | None:
    try:
        leaf = CertificateFacts.from_pem(pem.encode(), source)
    except Refused:
        return "it cannot be read"
    return reason_to_reissue(leaf, authority, names=names, now=now)


def _names(host: Host, stem: str) -> frozenset[str]:
    return frozenset({host.name, str(host.address), "127.0.0.1"}) if stem in SERVER_STEMS else frozenset()


def _dials_etcd_through_haproxy(inventory: Inventory, host: Host) -> bool:
    return host in inventory.masters and inventory.etcd_is_external


def _pair(stem: str) -> tuple[str, str]:
    return f"{stem}.crt", f"{stem}.key"


def _stem(path: str) -> str:
    if path == HAPROXY_CLIENT:  # made of this leaf, so it changes with it
        return paths.ETCD_HEALTHCHECK_CLIENT
    return path.rsplit(".", 1)[0]
