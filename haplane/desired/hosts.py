"""Everything each host should be, put together from its files, keys, binaries, images and units."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from haplane.bundle.manifest import Manifest
from haplane.config.model import Host, Inventory
from haplane.config.services import api_service, api_service_name, dns_service
from haplane.desired.certificates import expired_paths
from haplane.desired.files import kube_proxy_configuration, kubeadm_configuration, runs_haproxy, wanted_files
from haplane.desired.keys import api_servers, ca_of_worker, due_certificates, due_keys, key_paths, kubeadm_pairs
from haplane.desired.kubelets import why_replace_client
from haplane.desired.manifests import COREDNS_PATCH, cluster_manifest
from haplane.desired.snapshots import NO_FILES, OWN_FILES, S3Files, snapshot_directory, snapshot_files
from haplane.desired.user_files import NO_USER_FILES, UserFiles
from haplane.domain import host_paths
from haplane.domain.files import Part
from haplane.domain.observed import HostReport
from haplane.domain.plan import MASTER_EVIDENCE, ClusterWants, Wants
from haplane.domain.steps.nodes import WORKER_EVIDENCE, runs_kubelet
from haplane.domain.steps.pod_network import FLANNEL, KUBE_PROXY
from haplane.domain.steps.snapshots import TIMER_UNIT
from haplane.domain.trust import Roles
from haplane.pki.ca import certificate_fingerprint

CERTIFICATES = (
    f"{host_paths.ETCD_PKI}/*.crt",
    host_paths.ETCD_HAPROXY_PEM,
    f"{host_paths.KUBERNETES_PKI}/*.crt",
    f"{host_paths.KUBERNETES_PKI}/etcd/*.crt",
    host_paths.KUBECONFIGS,
    host_paths.KUBELET_CLIENT_PEM,
    host_paths.KUBELET_SERVER_PEM,
    host_paths.KUBELET_SERVING_CRT,
)
"""Where there are any: whatever holds one, as patterns."""
UNITS = ("containerd", "kubelet", "etcd", "haproxy", "keepalived", Part.VRRP_FILTER.value, "nftables")


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What every host of a cluster is made from, whatever it reports itself.

    ``etcd_ca`` and ``kubernetes_ca`` are certificates as PEM, the second empty while it is not known.
    ``verify_kubelets``: API servers verify kubelets' serving certificates. With ``renew`` all certificates are due
    that are not the kubelet's own to renew.
    """

    inventory: Inventory
    manifest: Manifest
    etcd_ca: bytes
    kubernetes_ca: bytes
    s3_files: S3Files = NO_FILES
    user_files: UserFiles = NO_USER_FILES
    verify_kubelets: bool = True
    renew: bool = False


def wants_of(sources: Sources, host: Host, report: HostReport, now: datetime) -> Wants:
    """What ``host`` should be, given the interface its address is on and the certificates it already has."""
    inventory, manifest, renew = sources.inventory, sources.manifest, sources.renew
    etcd_ca, kubernetes_ca = sources.etcd_ca, sources.kubernetes_ca
    roles = inventory.roles(host)
    files = wanted_files(
        inventory,
        host,
        interface=report.interface_of(str(host.address)) or "",
        etcd_token=etcd_token(inventory, etcd_ca),
        pause_image=manifest.reference("pause"),
        resolv_conf=report.surroundings.resolv_conf,
        oidc_ca=sources.user_files.oidc_ca,
        verify_kubelets=sources.verify_kubelets,
    )
    return Wants(
        roles=roles,
        files=files + snapshot_files(inventory, host, sources.s3_files),
        bundle={file.path: file.sha256 for file in manifest.needed_by(roles)},
        images=tuple(image.reference for image in manifest.images if set(image.roles) & set(roles)),
        identity=(*key_paths(inventory, host), *(ca_of_worker(inventory, host) if has_joined(report) else ())),
        packages=packages(inventory, host),
        units=units(inventory, host),
        keys=due_keys(inventory, host, report, now, etcd_ca=etcd_ca, kubernetes_ca=kubernetes_ca, renew=renew),
        certificates=due_certificates(inventory, host, report, now, renew=renew),
        etcd_quota_bytes=inventory.cluster.etcd.quota_backend_bytes if "etcd" in roles else None,
        expired=expired_paths(report, now),
        kubelet_client=why_replace_client(host, report, kubernetes_ca, now, api_servers(inventory, host)),
    )


def etcd_token(inventory: Inventory, etcd_ca: bytes) -> str:
    """One token per formed cluster, the same on every host and in every interrupted run: the CA is new too."""
    return f"{inventory.cluster.name}-{certificate_fingerprint(etcd_ca)[:16]}"


def packages(inventory: Inventory, host: Host) -> tuple[str, ...]:
    """Services whose packages are the distribution's, not in the bundle."""
    found = ["haproxy"] if runs_haproxy(inventory, host) else []
    return (*found, "keepalived", "nftables") if host in inventory.balancer_hosts else tuple(found)


def units(inventory: Inventory, host: Host) -> tuple[str, ...]:
    """Units that have to be up and enabled."""
    found = ["containerd", "kubelet"] if host in inventory.nodes else []
    found += ["etcd"] if host in inventory.etcd else []
    found += [TIMER_UNIT] if host in inventory.etcd and inventory.cluster.snapshots is not None else []
    found += ["haproxy"] if runs_haproxy(inventory, host) else []
    return (*found, Part.VRRP_FILTER.value, "keepalived") if host in inventory.balancer_hosts else tuple(found)


def cluster_wants(
    inventory: Inventory, manifest: Manifest, user_files: UserFiles = NO_USER_FILES, *, verify_kubelets: bool = True
) -> ClusterWants:
    """What exists once. ``verify_kubelets`` as in :class:`Sources`."""
    shared = shared_configuration(inventory, verify_kubelets=verify_kubelets)
    applied = (cluster_manifest(inventory, manifest, user_files.pod_network), COREDNS_PATCH, shared)
    return ClusterWants(
        masters=tuple(host.name for host in inventory.masters),
        etcd=tuple(host.name for host in inventory.etcd),
        workers=tuple(host.name for host in inventory.workers),
        leaving=tuple(host.name for host in inventory.leaving),
        masters_run_pods=inventory.cluster.masters_run_pods,
        labels=node_labels(inventory),
        tables=nftables(inventory),
        pod_tunnel=inventory.cluster.flannel_backend == "vxlan",
        applied=hashlib.sha256("\n".join(applied).encode()).hexdigest(),
    )


def nftables(inventory: Inventory) -> tuple[str, ...]:
    """Tables that kube-proxy and flannel make on every node, by the settings that they are given."""
    by_proxy = (KUBE_PROXY,) if inventory.cluster.proxy_mode == "nftables" else ()
    return by_proxy if inventory.cluster.pod_network_manifest else (*by_proxy, FLANNEL)


def node_labels(inventory: Inventory) -> dict[str, tuple[str, ...]]:
    """The inventory's labels by node, as NAME=VALUE; nodes without any are left out."""
    return {
        host.name: tuple(f"{name}={value}" for name, value in host.labels) for host in inventory.nodes if host.labels
    }


def roles_of(inventory: Inventory) -> Roles:
    """Which hosts are believed for what."""
    return Roles(
        masters=frozenset(host.name for host in inventory.masters),
        etcd=frozenset(host.name for host in inventory.etcd),
        leaving=frozenset(host.name for host in inventory.leaving),
        balancers=frozenset(host.name for host in inventory.balancer_hosts),
    )


def shared_configuration(inventory: Inventory, *, verify_kubelets: bool) -> str:
    """Kubeadm's configuration without its first document, the only one that differs between masters."""
    whole = kubeadm_configuration(inventory, inventory.masters[0], verify_kubelets=verify_kubelets)
    return whole.split("\n---\n", 1)[1]


def proxy_fingerprint(inventory: Inventory) -> str:
    """Of what kube-proxy reads when it starts: its settings, and where the API is."""
    read = [str(inventory.cluster.endpoint), kube_proxy_configuration(inventory)]
    return hashlib.sha256(json.dumps(read).encode()).hexdigest()


def dns_fingerprint(inventory: Inventory, manifest: Manifest) -> str:
    """Of what CoreDNS is made from: applied again for anything else, its pods would come and go for nothing."""
    cluster = inventory.cluster
    image = manifest.reference("coredns")
    read = [COREDNS_PATCH, cluster.kubernetes_version, cluster.dns_domain, str(cluster.service_network), [image]]
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


def has_joined(report: HostReport) -> bool:
    """Whether kubeadm has made a node of the host, whatever became of its files."""
    return runs_kubelet(report) or any(path in report.files for path in WORKER_EVIDENCE)


@lru_cache(maxsize=8)
def needed_paths(inventory: Inventory) -> Mapping[str, tuple[str, ...]]:
    """By host: every file of haplane's, and every key of kubeadm's, without which something there would not start.

    Kept, because the files are rendered for it, and every look and every judgement needs it.
    """
    return {host.name: _needed_paths(inventory, host) for host in inventory.hosts}


def _needed_paths(inventory: Inventory, host: Host) -> tuple[str, ...]:
    placeholder = wanted_files(inventory, host, interface="", etcd_token="", pause_image="", oidc_ca="")  # noqa: S106
    keys = (*key_paths(inventory, host), *kubeadm_pairs(inventory, host), *ca_of_worker(inventory, host))
    keys += (host_paths.KUBELET_CLIENT_PEM,) if host in inventory.nodes else ()
    return (*keys, *(file.path for file in placeholder))


def programs_of(manifest: Manifest | None, roles: Iterable[str]) -> tuple[str, ...]:
    """Where the bundle's programs are on a host with these roles; none without a bundle."""
    paths = (file.path for file in manifest.needed_by(roles)) if manifest else ()
    return tuple(path for path in paths if path.rsplit("/", 2)[-2] == "bin")


def request_for(
    inventory: Inventory, manifest: Manifest | None, others: Iterable[Manifest] = ()
) -> dict[str, object]:
    """What to ask every host for, alike: each says what of it there is. Without a manifest no binary is asked for.

    ``others`` are bundles that an upgrade may go through.
    """
    bundles = [*([manifest] if manifest else []), *others]
    files: set[str] = {
        *MASTER_EVIDENCE,
        *host_paths.MOVED_MANIFESTS.values(),
        host_paths.SUPER_ADMIN_KUBECONFIG,
        *OWN_FILES,
    }
    files |= {path for staged in host_paths.ROTATION_FILES.values() for path in staged}
    files |= {path for paths in needed_paths(inventory).values() for path in paths}
    return {
        "files": sorted(files),
        "bundle": sorted({path for one in bundles for path in _bundle_paths(one)}),
        "certificates": list(CERTIFICATES),
        "units": [*(f"{unit}.service" for unit in UNITS), TIMER_UNIT],
        "apiservers": [str(host.address) for host in inventory.masters],
        "etcd_addresses": [str(host.address) for host in inventory.etcd],
        "kubeadm_config": host_paths.KUBEADM_CONFIG_YAML,
        "snapshot_directory": snapshot_directory(inventory),
        "apiserver_port": inventory.cluster.apiserver_port,
        "endpoint_address": inventory.cluster.endpoint.address,
        "endpoint_port": inventory.cluster.endpoint.port,
        "pod_network": str(inventory.cluster.pod_network),
        "networks": [str(inventory.cluster.pod_network), str(inventory.cluster.service_network)],
        "node_labels": sorted({name for host in inventory.nodes for name, _ in host.labels}),
        "dns_name": api_service_name(inventory.cluster),
        "api_service": str(api_service(inventory.cluster)),
        "dns_address": str(dns_service(inventory.cluster)),
        "ping_endpoint": not inventory.cluster.endpoint_is_external,
    }


def _bundle_paths(manifest: Manifest) -> set[str]:
    """Where the bundle's files are to be, and where an upgrade stages the binaries among them."""
    staged = {host_paths.staged(manifest.kubernetes_version, file.path) for file in manifest.files}
    return staged | {file.path for file in manifest.everything()}
