"""Which keys and certificates belong on which host, when they are due, and what is in them.

A machine that is only an etcd member holds no Kubernetes key and none of the cluster's: it signs snapshots with a key
of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime

from haplane.config.model import Host, Inventory
from haplane.desired.files import certificate_names
from haplane.domain import host_paths
from haplane.domain.files import ETCD_USER, Part, WantedFile
from haplane.domain.host_condition import REFUSALS
from haplane.domain.observed import UNUSABLE, HostReport
from haplane.domain.plan import MASTER_EVIDENCE
from haplane.errors import Refused
from haplane.pki.certificates import CertificateFacts
from haplane.pki.cluster_identity import IDENTITY_PATHS, ClusterIdentity
from haplane.pki.etcd_certificates import (
    apiserver_client_files,
    etcd_server_files,
    healthcheck_client_files,
    reason_to_reissue,
)
from haplane.pki.kubelet_certificates import kubelet_serving_files
from haplane.pki.member_signing import member_signing_files

SERVER_STEMS = (host_paths.ETCD_SERVER_STEM, host_paths.ETCD_PEER_STEM)
ASKED = "requested"
OTHER_CAS = "it is another CA's"
KUBEADM_CERTIFICATES = {
    "apiserver": host_paths.APISERVER_CRT,
    "apiserver-kubelet-client": host_paths.APISERVER_KUBELET_CLIENT_CRT,
    "front-proxy-client": host_paths.FRONT_PROXY_CLIENT_CRT,
    "admin.conf": host_paths.ADMIN_KUBECONFIG,
    "controller-manager.conf": host_paths.CONTROLLER_MANAGER_KUBECONFIG,
    "scheduler.conf": host_paths.SCHEDULER_KUBECONFIG,
}
"""What kubeadm makes on a master besides the kubelet's, which renews its own, by kubeadm's names."""


def key_paths(inventory: Inventory, host: Host) -> tuple[str, ...]:
    """Every key and certificate that haplane puts on the host; kubeadm makes the others there."""
    found: list[str] = []
    if host in inventory.masters:
        found += [*IDENTITY_PATHS, *_pair(host_paths.APISERVER_ETCD_CLIENT_STEM)]
    if host in inventory.etcd:
        found += [path for stem in SERVER_STEMS for path in _pair(stem)]
    if host in inventory.etcd or _dials_etcd_through_haproxy(inventory, host):
        found += [host_paths.ETCD_MEMBER_CA_CRT, *_pair(host_paths.ETCD_HEALTHCHECK_CLIENT_STEM)]
    if host in inventory.nodes:
        found += _pair(host_paths.KUBELET_SERVING_STEM)
    if _dials_etcd_through_haproxy(inventory, host):
        found.append(host_paths.ETCD_HAPROXY_PEM)
    if host in inventory.etcd and inventory.cluster.snapshots is not None:
        found += [host_paths.MEMBER_SIGNING_KEY, host_paths.MEMBER_SIGNER_JSON]
    return tuple(found)


def kubeadm_pairs(inventory: Inventory, host: Host) -> tuple[str, ...]:
    """Certificates that kubeadm makes on a master, each with its key."""
    made = [path.removesuffix(".crt") for path in KUBEADM_CERTIFICATES.values() if path.endswith(".crt")]
    return tuple(path for stem in made for path in _pair(stem)) if host in inventory.masters else ()


def ca_of_worker(inventory: Inventory, host: Host) -> tuple[str, ...]:
    """What kubeadm puts on a worker that joins, and haplane on one that has lost it; no kubelet starts without."""
    return () if host in inventory.masters or host not in inventory.nodes else (host_paths.KUBERNETES_CA_CRT,)


def certificate_stems(inventory: Inventory, host: Host) -> tuple[str, ...]:
    """Those of :func:`key_paths` that expire, without their endings."""
    found = {path.removesuffix(".crt") for path in key_paths(inventory, host) if path.endswith(".crt")}
    ca_stems = {
        host_paths.KUBERNETES_CA_STEM,
        host_paths.FRONT_PROXY_CA_STEM,
        host_paths.ETCD_CA_STEM,
        host_paths.ETCD_MEMBER_CA_CRT.removesuffix(".crt"),
    }
    return tuple(sorted(found - ca_stems))


def due_keys(
    inventory: Inventory,
    host: Host,
    report: HostReport,
    now: datetime,
    *,
    etcd_ca: bytes,
    kubernetes_ca: bytes,
    renew: bool = False,
) -> dict[str, str]:
    """Leaves on the host that must be issued anew, with the reason; absent ones are the plan's to find.

    With ``renew`` all of them. Nothing that the Kubernetes CA issues while that is not known (empty).
    """
    etcd = CertificateFacts.from_pem(etcd_ca, "etcd's CA")
    kubernetes = CertificateFacts.from_pem(kubernetes_ca, "the CA") if kubernetes_ca else None
    due = _replaced_cas(inventory, host, report, etcd, kubernetes)
    for stem in certificate_stems(inventory, host):
        pem = report.certificates.get(f"{stem}.crt")
        ca = kubernetes if stem == host_paths.KUBELET_SERVING_STEM else etcd
        if pem is None or ca is None:
            continue
        why = _reason(pem, f"{host.name}:{stem}.crt", ca, _names(host, stem), now)
        why = why or (ASKED if renew else None)
        if why is not None:
            due |= dict.fromkeys(_pair(stem), why)
            if stem == host_paths.ETCD_HEALTHCHECK_CLIENT_STEM and _dials_etcd_through_haproxy(inventory, host):
                due[host_paths.ETCD_HAPROXY_PEM] = why
    return due


def _replaced_cas(
    inventory: Inventory, host: Host, report: HostReport, etcd: CertificateFacts, kubernetes: CertificateFacts | None
) -> dict[str, str]:
    """Copies of the masters' CAs on other hosts, and beside etcd, that are another CA's."""
    copies = (
        {host_paths.ETCD_MEMBER_CA_CRT: etcd} if host_paths.ETCD_MEMBER_CA_CRT in key_paths(inventory, host) else {}
    )
    if kubernetes is not None:
        copies |= dict.fromkeys(ca_of_worker(inventory, host), kubernetes)
    found = {}
    for path, ca in copies.items():
        with suppress(Refused):
            if (pem := report.certificates.get(path)) and CertificateFacts.from_pem(pem.encode(), path) != ca:
                found[path] = OTHER_CAS
    return found


def due_certificates(
    inventory: Inventory, host: Host, report: HostReport, now: datetime, *, renew: bool = False
) -> dict[str, str]:
    """Those of KUBEADM_CERTIFICATES that a master has to have made anew, with the reason.

    A master that does not show the CAs has not been through kubeadm, or gets them back: only what is absent is due.
    """
    there = report.files
    due: dict[str, str] = {}
    for name, path in KUBEADM_CERTIFICATES.items() if host in inventory.masters else ():
        stem = host_paths.FRONT_PROXY_CA_STEM if name == "front-proxy-client" else host_paths.KUBERNETES_CA_STEM
        try:
            ca = CertificateFacts.from_pem(report.certificates.get(f"{stem}.crt", "").encode(), stem)
        except Refused:
            lost = path.endswith(".crt") and not {path, f"{path.removesuffix('.crt')}.key"} <= there.keys()
            if lost and any(made in there for made in MASTER_EVIDENCE):
                due[name] = "missing"
            continue
        pem = report.certificates.get(path)
        names = frozenset(certificate_names(inventory)) if name == "apiserver" else frozenset()
        why = "missing" if pem is None else _reason(pem, f"{host.name}:{path}", ca, names, now)
        why = why or report.unusable.get(path) or _lost(inventory, host, path, report)
        why = why or (ASKED if renew else None)
        if why is not None:
            due[name] = why
    return due


def flaws(
    inventory: Inventory,
    host: Host,
    report: HostReport,
    now: datetime,
    authorities: Mapping[str, CertificateFacts],
) -> dict[str, str]:
    """Path -> why what is there is of no use, besides that it has expired; it may serve from memory all the same.

    ``authorities`` are the cluster's CAs by their stems; what one of them issues is left out where it is not known.
    Names that an inventory adds are not among those that an API server has to have.
    """
    cas = dict.fromkeys((f"{stem}.crt" for stem in certificate_stems(inventory, host)), host_paths.ETCD_CA_STEM)
    cas[host_paths.KUBELET_SERVING_CRT] = host_paths.KUBERNETES_CA_STEM
    for name, path in KUBEADM_CERTIFICATES.items() if host in inventory.masters else ():
        of_front_proxy = name == "front-proxy-client"
        cas[path] = host_paths.FRONT_PROXY_CA_STEM if of_front_proxy else host_paths.KUBERNETES_CA_STEM
    called = {
        host_paths.APISERVER_CRT: frozenset({inventory.cluster.endpoint.address, "127.0.0.1", str(host.address)})
    }
    found = {}
    for path, stem in cas.items():
        pem, ca = report.certificates.get(path), authorities.get(stem)
        if not pem or ca is None:
            continue
        with suppress(Refused):
            names = called.get(path, _names(host, path.removesuffix(".crt")))
            if why := CertificateFacts.from_pem(pem.encode(), path).flaw(ca, now, names):
                found[path] = why
    return found


def api_servers(inventory: Inventory, host: Host) -> tuple[str, ...]:
    """What kubeconfigs on a node may name, the one that haplane writes first: a master's own, or the endpoint."""
    endpoint = f"https://{inventory.cluster.endpoint}"
    own = f"https://{host.address}:{inventory.cluster.apiserver_port}"
    return (own, endpoint) if host in inventory.masters else (endpoint,)


COMPONENTS = {
    host_paths.CONTROLLER_MANAGER_KUBECONFIG: "kube-controller-manager",
    host_paths.SCHEDULER_KUBECONFIG: "kube-scheduler",
}


def _lost(inventory: Inventory, host: Host, path: str, report: HostReport) -> str | None:
    """Why a kubeconfig, whose certificate is as it should be, gets its user to no API server of this master."""
    state = report.components.of.get(COMPONENTS.get(path, ""))
    server = state.server if state else report.servers.get(path)
    if server and server not in api_servers(inventory, host):
        return f"it names {server}"
    if state is None:
        return None
    refused = report.apiserver.ready and any(words in (state.unserved or "") for words in REFUSALS)
    return "its API server refuses it" if refused else None


def key_files(
    inventory: Inventory, host: Host, identity: ClusterIdentity, due: Iterable[str], now: datetime
) -> tuple[WantedFile, ...]:
    """The due ones as files; a certificate is never given without its key, nor a key without its certificate."""
    files = dict(identity.to_files())  # a worker gets the CA's certificate of them
    if host in inventory.masters:
        files |= apiserver_client_files(identity, now)
    if host in inventory.etcd:
        files |= etcd_server_files(identity, host.name, host.address, now)
    if host in inventory.nodes:
        files |= kubelet_serving_files(identity.kubernetes, host.name, host.address, now)
    files |= healthcheck_client_files(identity, now)
    healthcheck = (files[path] for path in _pair(host_paths.ETCD_HEALTHCHECK_CLIENT_STEM))
    files[host_paths.ETCD_HAPROXY_PEM] = b"".join(healthcheck)
    files |= member_signing_files(identity.signing, inventory.cluster.name, host.name, now)
    stems = {_stem(path) for path in due}
    held = (*key_paths(inventory, host), *ca_of_worker(inventory, host))
    wanted = (path for path in held if _stem(path) in stems)
    return tuple(_secret(path, files[path]) for path in wanted)


def _secret(path: str, content: bytes) -> WantedFile:
    private = host_paths.is_private(path)
    part = Part.ETCD if host_paths.is_below(path, host_paths.ETCD_PKI) else Part.CONTROL_PLANE
    part = Part.KUBELET if host_paths.is_below(path, host_paths.KUBELET_PKI) else part
    owner = ETCD_USER if path in host_paths.ETCD_OWN_KEYS else "root"
    return WantedFile(path, content, part, 0o600 if private else 0o644, secret=private, owner=owner)


def _reason(pem: str, source: str, ca: CertificateFacts, names: frozenset[str], now: datetime) -> str | None:
    try:
        certificate = CertificateFacts.from_pem(pem.encode(), source)
    except Refused:
        return UNUSABLE
    return reason_to_reissue(certificate, ca, names=names, now=now)


def _names(host: Host, stem: str) -> frozenset[str]:
    own = frozenset({host.name, str(host.address)})
    if stem == host_paths.KUBELET_SERVING_STEM:
        return own
    return own | {"127.0.0.1"} if stem in SERVER_STEMS else frozenset()


def _dials_etcd_through_haproxy(inventory: Inventory, host: Host) -> bool:
    return host in inventory.masters and inventory.etcd_is_external


def _pair(stem: str) -> tuple[str, str]:
    return f"{stem}.crt", f"{stem}.key"


def _stem(path: str) -> str:
    if path == host_paths.ETCD_HAPROXY_PEM:  # made of this certificate, so it changes with it
        return host_paths.ETCD_HEALTHCHECK_CLIENT_STEM
    return path.rsplit(".", 1)[0]
