"""Everything each host should be, put together from its files, keys, binaries, images and units."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from haplane.bundle.manifest import Manifest
from haplane.config.model import Host, Inventory
from haplane.desired.files import (
    KUBEADM_CONFIG,
    kube_proxy_configuration,
    kubeadm_configuration,
    runs_haproxy,
    wanted_files,
)
from haplane.desired.keys import due_certificates, due_keys, key_paths
from haplane.desired.manifests import COREDNS_PATCH, cluster_manifest
from haplane.desired.snapshots import NO_FILES, OWN_FILES, S3Files, snapshot_directory, snapshot_files
from haplane.domain.observed import HostReport
from haplane.domain.plan import APISERVER_ASIDE, MASTER_EVIDENCE, SUPER_ADMIN_CONFIG, ClusterWants, Wants
from haplane.domain.snapshot_plan import TIMER_UNIT
from haplane.pki import paths
from haplane.pki.authority import certificate_fingerprint

UNITS = ("containerd", "kubelet", "etcd", "haproxy", "keepalived")


def wants_of(
    inventory: Inventory,
    host: Host,
    report: HostReport,
    manifest: Manifest,
    *,
    etcd_authority: bytes,
    now: datetime,
    s3_files: S3Files = NO_FILES,
) -> Wants:
    """What ``host`` should be, given the interface its address is on and the leaves it already has."""
    roles = inventory.roles(host)
    files = wanted_files(
        inventory,
        host,
        interface=report.interface_of(str(host.address)) or "",
        etcd_token=etcd_token(inventory, etcd_authority),
    )
    return Wants(
        roles=roles,
        files=files + snapshot_files(inventory, host, s3_files),
        bundle={file.path: file.sha256 for file in manifest.needed_by(roles)},
        images=tuple(image.reference for image in manifest.images if set(image.roles) & set(roles)),
        identity=key_paths(inventory, host),
        packages=packages(inventory, host),
        units=units(inventory, host),
        keys=due_keys(inventory, host, report, etcd_authority, now),
        certificates=due_certificates(inventory, host, report, now),
    )


def etcd_token(inventory: Inventory, etcd_authority: bytes) -> str:
    """One token per formed cluster, the same on every host and in every interrupted run: the authority is new too."""
    return f"{inventory.cluster.name}-{certificate_fingerprint(etcd_authority)[:16]}"


def packages(inventory: Inventory, host: Host) -> tuple[str, ...]:
    """Debian packages that are not in the bundle; each brings a unit of its own name."""
    found = ["haproxy"] if runs_haproxy(inventory, host) else []
    return (*found, "keepalived") if host in inventory.balancer_hosts else tuple(found)


def units(inventory: Inventory, host: Host) -> tuple[str, ...]:
    """Units that have to be up and enabled."""
    found = ["containerd", "kubelet"] if host in inventory.nodes else []
    found += ["etcd"] if host in inventory.etcd else []
    found += [TIMER_UNIT] if host in inventory.etcd and inventory.cluster.snapshots is not None else []
    return (*found, *packages(inventory, host))


def cluster_wants(inventory: Inventory, manifest: Manifest) -> ClusterWants:
    """What exists once."""
    applied = (cluster_manifest(inventory, manifest), COREDNS_PATCH, shared_configuration(inventory))
    return ClusterWants(
        masters=tuple(host.name for host in inventory.masters),
        etcd=tuple(host.name for host in inventory.etcd),
        workers=tuple(host.name for host in inventory.workers),
        leaving=tuple(host.name for host in inventory.leaving),
        masters_run_pods=inventory.cluster.masters_run_pods,
        applied=hashlib.sha256("\n".join(applied).encode()).hexdigest(),
    )


def shared_configuration(inventory: Inventory) -> str:
    """Kubeadm's configuration without its first document, the only one that differs between masters."""
    return kubeadm_configuration(inventory, inventory.masters[0]).split("\n---\n", 1)[1]


def proxy_fingerprint(inventory: Inventory) -> str:
    """Of what kube-proxy reads when it starts: its settings, and where the API is."""
    read = [str(inventory.cluster.endpoint), kube_proxy_configuration(inventory)]
    return hashlib.sha256(json.dumps(read).encode()).hexdigest()


def dns_fingerprint(inventory: Inventory, manifest: Manifest) -> str:
    """Of what CoreDNS is made from: applied again for anything else, its pods would come and go for nothing."""
    cluster = inventory.cluster
    images = [image.reference for image in manifest.images if "coredns" in image.reference]
    read = [COREDNS_PATCH, cluster.kubernetes_version, cluster.dns_domain, str(cluster.service_network), images]
    return hashlib.sha256(json.dumps(read).encode()).hexdigest()


def lasting_settings(inventory: Inventory) -> dict[str, str]:
    """What a cluster is made from and keeps as long as it exists, by the names the observer gives them."""
    cluster = inventory.cluster
    return {
        "endpoint": str(cluster.endpoint),
        "apiserver_port": str(cluster.apiserver_port),
        "pod_network": str(cluster.pod_network),
        "service_network": str(cluster.service_network),
        "dns_domain": cluster.dns_domain,
    }


def request_for(inventory: Inventory, manifest: Manifest) -> dict[str, object]:
    """What to ask every host for, alike: each says what of it there is."""
    files: set[str] = {*MASTER_EVIDENCE, APISERVER_ASIDE, SUPER_ADMIN_CONFIG, *OWN_FILES}
    for host in inventory.hosts:
        files |= set(key_paths(inventory, host))
        placeholder = wanted_files(inventory, host, interface="", etcd_token="")  # noqa: S106
        files |= {file.path for file in placeholder}
    return {
        "files": sorted(files),
        "bundle": sorted({file.path for file in manifest.everything()}),
        "certificates": [
            f"{paths.ETCD_PKI}/*.crt",
            f"{paths.KUBERNETES_PKI}/*.crt",
            f"{paths.KUBERNETES_PKI}/etcd/*.crt",
            "/etc/kubernetes/*.conf",
            "/var/lib/kubelet/pki/kubelet-client-current.pem",
            "/var/lib/kubelet/pki/kubelet.crt",
        ],
        "units": [*(f"{unit}.service" for unit in UNITS), TIMER_UNIT],
        "etcd_addresses": [str(host.address) for host in inventory.etcd],
        "kubeadm_config": KUBEADM_CONFIG,
        "snapshot_directory": snapshot_directory(inventory),
        "apiserver_port": inventory.cluster.apiserver_port,
        "endpoint_address": inventory.cluster.endpoint.address,
        "endpoint_port": inventory.cluster.endpoint.port,
        "ping_endpoint": not inventory.cluster.endpoint_is_external,
    }
