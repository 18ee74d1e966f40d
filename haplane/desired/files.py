"""The files without secrets that each host should have, rendered from the inventory.

Nothing here depends on who is first in a list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from haplane.config.model import Host, Inventory
from haplane.desired.audit import audit_policy
from haplane.desired.authentication import authentication_configuration
from haplane.desired.balancers import haproxy_files, keepalived_files
from haplane.desired.containerd import containerd_files, proxy_environment
from haplane.domain import host_paths
from haplane.domain.arguments import (
    Setting,
    apiserver_arguments,
    controller_manager_arguments,
    scheduler_arguments,
)
from haplane.domain.files import Part, WantedFile
from haplane.domain.plan import CONTROL_PLANE_TAINT
from haplane.render import render

CIPHER_SUITES = tuple(
    f"TLS_ECDHE_{key}_WITH_{cipher}"
    for key in ("ECDSA", "RSA")
    for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
)
"""Of TLS 1.2; those of 1.3 are all strong and cannot be chosen."""

RESOLV_CONF = "/etc/resolv.conf"


def wanted_files(
    inventory: Inventory,
    host: Host,
    *,
    interface: str,
    etcd_token: str,
    pause_image: str,
    resolv_conf: str = RESOLV_CONF,
    oidc_ca: str | None = None,
    verify_kubelets: bool = True,
) -> tuple[WantedFile, ...]:
    """Every file of ``host``. ``interface`` is the one that has its address, ``etcd_token`` etcd's identity.

    ``pause_image`` is the bundle's, for containerd's sandboxes, ``resolv_conf`` where the host has name servers that
    pods can ask. ``oidc_ca`` is what the inventory's oidc-ca-file holds.

    ``verify_kubelets``: API servers verify kubelets' serving certificates.
    """
    roles = inventory.roles(host)
    files: list[WantedFile] = []
    if host in inventory.nodes:
        files += node_files(inventory, host, pause_image, resolv_conf)
    if "etcd" in roles:
        files.append(etcd_unit(host, etcd_token, inventory.cluster.etcd.quota_backend_bytes))
    if "master" in roles:
        files += master_files(inventory, host, oidc_ca, verify_kubelets=verify_kubelets)
    if runs_haproxy(inventory, host):
        files += haproxy_files(inventory, host)
    if "load-balancer" in roles:
        files += keepalived_files(inventory, host, interface)
    return tuple(files)


def runs_haproxy(inventory: Inventory, host: Host) -> bool:
    """Load balancers do, and masters whose etcd is on other machines: it is their one etcd endpoint."""
    return host in inventory.balancer_hosts or (host in inventory.masters and inventory.etcd_is_external)


def node_files(inventory: Inventory, host: Host, pause_image: str, resolv_conf: str) -> list[WantedFile]:
    """What a host with a kubelet needs."""
    unit = render("kubelet.service.j2", name=host.name, address=str(host.address))
    systemd_cgroup = kubelet_configuration(inventory)["cgroupDriver"] == "systemd"
    files = [
        WantedFile.text(host_paths.SYSCTL_CONF, render("sysctl.conf.j2"), Part.HOST),
        WantedFile.text(host_paths.KERNEL_MODULES_CONF, render("modules.conf.j2"), Part.HOST),
        *containerd_files(inventory, pause_image, systemd_cgroup=systemd_cgroup),
        WantedFile.text(host_paths.KUBELET_SERVICE, unit, Part.KUBELET, 0o600),
        WantedFile.text(
            host_paths.KUBELET_PATCH_JSON,
            json.dumps(node_settings(inventory, resolv_conf), indent=1) + "\n",
            Part.KUBELET_CONFIG,
        ),
        WantedFile.text(
            host_paths.KUBELET_SETTINGS_JSON,
            json.dumps(kubelet_configuration(inventory), indent=1) + "\n",
            Part.KUBELET_CONFIG,
        ),
    ]
    if inventory.cluster.pod_network_manifest is None:
        files.append(WantedFile.text(host_paths.FLANNEL_CONFLIST, render("flannel.conflist.j2"), Part.HOST, 0o600))
        # the plugin would make it 0750
        files.append(WantedFile.text(host_paths.CNI_BRIDGE_LOCK, "", Part.HOST, 0o600))
    return files


def etcd_unit(host: Host, token: str, quota_bytes: int) -> WantedFile:
    """The member's unit, which never forms a cluster by itself and is the same whoever the other members are."""
    text = render(
        "etcd.service.j2",
        name=host.name,
        address=str(host.address),
        token=token,
        quota_bytes=quota_bytes,
        cipher_suites=",".join(CIPHER_SUITES),
    )
    return WantedFile.text(host_paths.ETCD_SERVICE, text, Part.ETCD)


def etcd_start(state: str, members: Mapping[str, str]) -> str:
    """The drop-in of the moment in which a member has no data. ``members`` maps all names to peer URLs."""
    listed = ",".join(f"{name}={url}" for name, url in sorted(members.items()))
    return render("etcd-bootstrap.conf.j2", state=state, members=listed)


def peer_url(host: Host) -> str:
    """Where its member is dialled by the others."""
    return f"https://{host.address}:2380"


def master_files(inventory: Inventory, host: Host, oidc_ca: str | None, *, verify_kubelets: bool) -> list[WantedFile]:
    """Kubeadm's configuration and the files its API server reads besides."""
    authentication = authentication_configuration(inventory, oidc_ca)
    return [
        WantedFile.text(host_paths.AUTHENTICATION_YAML, authentication, Part.CONTROL_PLANE, 0o600),
        WantedFile.text(host_paths.AUDIT_POLICY_YAML, audit_policy(), Part.CONTROL_PLANE, 0o600),
        WantedFile.text(
            host_paths.KUBEADM_CONFIG_YAML,
            kubeadm_configuration(inventory, host, verify_kubelets=verify_kubelets),
            Part.CONTROL_PLANE,
            0o600,
        ),
    ]


@lru_cache(maxsize=16)
def kubeadm_configuration(inventory: Inventory, host: Host, *, verify_kubelets: bool = True) -> str:
    """The InitConfiguration every master runs, alike but for its own name and address.

    kubeadm adds those two to the API server's certificate; no other master's, so that nothing changes on the others
    when masters come and go. Kept, because every look needs all of them, and once more what they share.
    """
    cluster = inventory.cluster
    key, effect = CONTROL_PLANE_TAINT.split(":")
    setting = Setting(
        unreachable_toleration_seconds=cluster.unreachable_toleration_seconds,
        node_monitor_grace_seconds=cluster.node_monitor_grace_seconds,
        cipher_suites=",".join(CIPHER_SUITES),
        kubelet_ca=host_paths.KUBERNETES_CA_CRT if verify_kubelets else None,
    )
    return render(
        "kubeadm.yaml.j2",
        name=host.name,
        address=str(host.address),
        cluster=cluster.name,
        endpoint=str(cluster.endpoint),
        apiserver_port=cluster.apiserver_port,
        kubernetes_version=cluster.kubernetes_version,
        pod_network=str(cluster.pod_network),
        service_network=str(cluster.service_network),
        dns_domain=cluster.dns_domain,
        taints=[] if cluster.masters_run_pods else [{"key": key, "effect": effect}],
        ignored_preflight_checks=list(cluster.tuning.ignored_preflight_checks),
        certificate_names=certificate_names(inventory),
        apiserver_arguments=apiserver_arguments(setting, cluster.tuning.kube_apiserver),
        controller_manager_arguments=controller_manager_arguments(setting, cluster.tuning.kube_controller_manager),
        scheduler_arguments=scheduler_arguments(setting, cluster.tuning.kube_scheduler),
        proxy_environment=proxy_environment(inventory),
        kubelet=kubelet_configuration(inventory),
        patches=host_paths.KUBEADM_PATCHES,
        kube_proxy=kube_proxy_configuration(inventory),
    )


def certificate_names(inventory: Inventory) -> list[str]:
    """What every API server is called by, beside its own name and address; kubeadm adds those."""
    found = [inventory.cluster.endpoint.address, "127.0.0.1", "localhost", *inventory.cluster.apiserver_names]
    return list(dict.fromkeys(found))


def join_configuration(inventory: Inventory, host: Host, token: str, ca_hash: str) -> WantedFile:
    """A worker's JoinConfiguration. It holds a bootstrap token, so it is a secret."""
    text = render(
        "join.yaml.j2",
        name=host.name,
        address=str(host.address),
        endpoint=str(inventory.cluster.endpoint),
        token=token,
        ca_hash=ca_hash,
        patches=host_paths.KUBEADM_PATCHES,
        ignored_preflight_checks=list(inventory.cluster.tuning.ignored_preflight_checks),
    )
    return WantedFile(host_paths.JOIN_CONFIG_YAML, text.encode(), Part.KUBELET, 0o600, secret=True)


def kubelet_configuration(inventory: Inventory) -> dict[str, object]:
    """The KubeletConfiguration of the cluster, for nodes that join by hand as well.

    Those ask for a serving certificate; those of the inventory get theirs from haplane (:func:`node_settings`).
    """
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
        "rotateCertificates": True,
        "serverTLSBootstrap": True,
        "tlsMinVersion": "VersionTLS12",
        "tlsCipherSuites": list(CIPHER_SUITES),
        "seccompDefault": True,
        "podPidsLimit": 4096,
        "shutdownGracePeriod": "60s",  # where logind runs: elsewhere the kubelet logs that it cannot, and goes on
        "shutdownGracePeriodCriticalPods": "20s",
        "readOnlyPort": 0,
        "streamingConnectionIdleTimeout": "5m0s",
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
        # an API server that has just started may refuse once what it allows a moment later; the default is 30 s
        "authorization": {"mode": "Webhook", "webhook": {"cacheUnauthorizedTTL": "1s"}},
        **inventory.cluster.tuning.kubelet,
    }


def node_settings(inventory: Inventory, resolv_conf: str) -> dict[str, object]:
    """What kubeadm merges into it on nodes of the inventory. The kubelet reads changed files again by itself.

    kubeadm would give every node the name servers' file of the one master that uploaded the configuration.
    """
    own = {} if "resolvConf" in inventory.cluster.tuning.kubelet else {"resolvConf": resolv_conf}
    return {
        **own,
        "serverTLSBootstrap": False,
        "tlsCertFile": host_paths.KUBELET_SERVING_CRT,
        "tlsPrivateKeyFile": host_paths.KUBELET_SERVING_KEY,
    }


def kube_proxy_configuration(inventory: Inventory) -> dict[str, object]:
    """The KubeProxyConfiguration of the cluster."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": inventory.cluster.proxy_mode,
        "clusterCIDR": str(inventory.cluster.pod_network),
        **inventory.cluster.tuning.kube_proxy,
    }
