"""The files without secrets that each host should have, rendered from the inventory.

Nothing here depends on who is first in a list but haproxy's and keepalived's order of lines.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from haplane.config.model import Host, Inventory
from haplane.domain.files import Part, WantedFile
from haplane.render import render

PAUSE_IMAGE = "registry.k8s.io/pause:3.10.1"  # kubeadm 1.35, cmd/kubeadm/app/constants
CONTROL_PLANE_TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
CIPHER_SUITES = tuple(
    f"TLS_ECDHE_{key}_WITH_{cipher}"
    for key in ("ECDSA", "RSA")
    for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
)
"""Of TLS 1.2; those of 1.3 are all strong and cannot be chosen."""

KUBEADM_CONFIG = "/etc/kubernetes/haplane/kubeadm.yaml"
JOIN_CONFIG = "/etc/kubernetes/haplane/join.yaml"
KUBELET_SETTINGS = "/etc/kubernetes/haplane/kubelet.json"
"""What the node's kubelet was configured from: kubeadm takes it from the cluster, so nothing else shows its age."""


def wanted_files(inventory: Inventory, host: Host, *, interface: str, etcd_token: str) -> tuple[WantedFile, ...]:
    """Every file of ``host``. ``interface`` is the one that has its address, ``etcd_token`` etcd's identity."""
    roles = inventory.roles(host)
    files: list[WantedFile] = []
    if host in inventory.nodes:
        files += node_files(inventory)
    if "etcd" in roles:
        files.append(etcd_unit(host, etcd_token))
    if "master" in roles:
        files += master_files(inventory, host)
    if runs_haproxy(inventory, host):
        files += haproxy_files(inventory, host)
    if "load-balancer" in roles:
        files += keepalived_files(inventory, host, interface)
    return tuple(files)


def runs_haproxy(inventory: Inventory, host: Host) -> bool:
    """Load balancers do, and masters whose etcd is on other machines: it is their one etcd endpoint."""
    return host in inventory.balancer_hosts or (host in inventory.masters and inventory.etcd_is_external)


def node_files(inventory: Inventory) -> list[WantedFile]:
    """What a machine with a kubelet needs."""
    tuning = inventory.cluster.tuning
    containerd = render(
        "containerd.toml.j2",
        pause_image=PAUSE_IMAGE,
        restrict_oom_score_adj=tuning.containerd_restrict_oom_score_adj,
        systemd_cgroup=kubelet_configuration(inventory)["cgroupDriver"] == "systemd",
    )
    files = [
        _file("/etc/sysctl.d/99-haplane.conf", render("sysctl.conf.j2"), Part.HOST),
        _file("/etc/modules-load.d/haplane.conf", render("modules.conf.j2"), Part.HOST),
        _file("/etc/containerd/config.toml", containerd, Part.CONTAINERD),
        _file("/etc/systemd/system/containerd.service", render("containerd.service.j2"), Part.CONTAINERD),
        _file("/etc/systemd/system/kubelet.service", render("kubelet.service.j2"), Part.KUBELET, 0o600),
        _file(KUBELET_SETTINGS, json.dumps(kubelet_configuration(inventory), indent=1) + "\n", Part.KUBELET_CONFIG),
    ]
    if inventory.cluster.pod_network_manifest is None:
        files.append(_file("/etc/cni/net.d/10-flannel.conflist", render("flannel.conflist.j2"), Part.HOST, 0o600))
    return files


def etcd_unit(host: Host, token: str) -> WantedFile:
    """The member's unit, which never forms a cluster by itself and is the same whoever the other members are."""
    text = render(
        "etcd.service.j2",
        name=host.name,
        address=str(host.address),
        token=token,
        cipher_suites=",".join(CIPHER_SUITES),
    )
    return _file("/etc/systemd/system/etcd.service", text, Part.ETCD)


def etcd_start(state: str, members: Mapping[str, str]) -> str:
    """The drop-in of the moment in which a member has no data. ``members`` maps all names to peer URLs."""
    listed = ",".join(f"{name}={url}" for name, url in sorted(members.items()))
    return render("etcd-bootstrap.conf.j2", state=state, members=listed)


def peer_url(host: Host) -> str:
    """Where its member is dialled by the others."""
    return f"https://{host.address}:2380"


def master_files(inventory: Inventory, host: Host) -> list[WantedFile]:
    """Kubeadm's configuration and the files its API server reads besides."""
    directory = "/etc/kubernetes/haplane"
    return [
        _file(f"{directory}/authentication.yaml", render("authentication.yaml.j2"), Part.CONTROL_PLANE, 0o600),
        _file(f"{directory}/audit-policy.yaml", render("audit-policy.yaml.j2"), Part.CONTROL_PLANE, 0o600),
        _file(KUBEADM_CONFIG, kubeadm_configuration(inventory, host), Part.CONTROL_PLANE, 0o600),
    ]


def kubeadm_configuration(inventory: Inventory, host: Host) -> str:
    """The InitConfiguration every master runs, alike but for its own name and address.

    kubeadm adds those two to the API server's certificate; no other master's, so that nothing changes on the others
    when masters come and go.
    """
    cluster = inventory.cluster
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
        taints=[] if cluster.masters_run_pods else [CONTROL_PLANE_TAINT],
        ignored_preflight_checks=list(cluster.tuning.ignored_preflight_checks),
        certificate_names=certificate_names(inventory),
        unreachable_toleration_seconds=cluster.unreachable_toleration_seconds,
        node_monitor_grace_seconds=cluster.node_monitor_grace_seconds,
        kubelet=kubelet_configuration(inventory),
        kube_proxy=kube_proxy_configuration(inventory),
        cipher_suites=",".join(CIPHER_SUITES),
    )


def certificate_names(inventory: Inventory) -> list[str]:
    """What every API server is called by, beside its own name and address; kubeadm adds those."""
    return [inventory.cluster.endpoint.address, "127.0.0.1", "localhost"]


def join_configuration(inventory: Inventory, host: Host, token: str, authority_hash: str) -> WantedFile:
    """A worker's JoinConfiguration. It holds a bootstrap token, so it is a secret."""
    text = render(
        "join.yaml.j2",
        name=host.name,
        address=str(host.address),
        endpoint=str(inventory.cluster.endpoint),
        token=token,
        authority_hash=authority_hash,
        ignored_preflight_checks=list(inventory.cluster.tuning.ignored_preflight_checks),
    )
    return WantedFile(JOIN_CONFIG, text.encode(), Part.KUBELET, 0o600, secret=True)


def kubelet_configuration(inventory: Inventory) -> dict[str, object]:
    """The KubeletConfiguration of every node."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
        "rotateCertificates": True,
        "tlsMinVersion": "VersionTLS12",
        "tlsCipherSuites": list(CIPHER_SUITES),
        "seccompDefault": True,
        "podPidsLimit": 4096,
        "readOnlyPort": 0,
        "streamingConnectionIdleTimeout": "5m0s",
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
        "authorization": {"mode": "Webhook"},
        **inventory.cluster.tuning.kubelet,
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


def haproxy_files(inventory: Inventory, host: Host) -> list[WantedFile]:
    """The endpoint's balancer on load balancers, the etcd endpoint on masters whose etcd is elsewhere."""
    balances = host in inventory.balancer_hosts
    needs_etcd = host in inventory.masters and inventory.etcd_is_external
    text = render(
        "haproxy.cfg.j2",
        endpoint_port=inventory.cluster.endpoint.port if balances else None,
        apiserver_port=inventory.cluster.apiserver_port,
        masters=inventory.masters,
        etcd=inventory.etcd if needs_etcd else (),
    )
    return [
        _file("/etc/haproxy/haproxy.cfg", text, Part.HAPROXY),
        _file("/etc/haproxy/remember-servers", render("haproxy-remember-servers.j2"), Part.HAPROXY, 0o755),
        _file(_drop_in("haproxy"), render("haproxy-service.conf.j2"), Part.HAPROXY),
    ]


def keepalived_files(inventory: Inventory, host: Host, interface: str) -> list[WantedFile]:
    """The floating address. Priorities only break the tie of the very first election."""
    cluster = inventory.cluster
    others = [str(other.address) for other in inventory.balancer_hosts if other != host]
    text = render(
        "keepalived.conf.j2",
        name=host.name,
        interface=interface,
        router_id=cluster.keepalived.router_id,
        priority=100 - inventory.balancer_hosts.index(host),
        advert_seconds=cluster.keepalived.advert_seconds,
        address=str(host.address),
        peers=others,
        endpoint_address=cluster.endpoint.address,
    )
    check = render("haproxy-accepts.j2", endpoint_port=cluster.endpoint.port)
    return [
        _file("/etc/keepalived/keepalived.conf", text, Part.KEEPALIVED),
        _file("/etc/keepalived/haproxy-accepts", check, Part.KEEPALIVED, 0o755),
        _file(_drop_in("keepalived"), render("keepalived-service.conf.j2"), Part.KEEPALIVED),
    ]


def _drop_in(unit: str) -> str:
    return f"/etc/systemd/system/{unit}.service.d/haplane.conf"


def _file(path: str, text: str, part: Part, mode: int = 0o644) -> WantedFile:
    return WantedFile(path=path, content=text.encode(), part=part, mode=mode)
