"""What must be true of a host by the inventory alone.

Not derived from what ``up`` writes: an error there must not make its own check pass.
"""

from __future__ import annotations

from haplane.config.model import Host, Inventory

CONTROL_PLANE_TAINT = "node-role.kubernetes.io/control-plane:NoSchedule"

OPEN_PATHS = ("/livez", "/readyz", "/healthz", "/api/v1/namespaces/kube-public/configmaps/cluster-info")
"""What may be read without credentials; the last is what ``kubeadm join`` of a worker starts from."""

CLOSED_PATHS = (
    "/",
    "/api",
    "/apis",
    "/version",
    "/metrics",
    "/openapi/v2",
    "/debug/pprof/",
    "/readyz/etcd",
    "/api/v1/nodes",
    "/api/v1/secrets",
    "/api/v1/namespaces",
    "/api/v1/namespaces/kube-public/configmaps",
    "/api/v1/namespaces/kube-public/configmaps/kube-root-ca.crt",
    "/api/v1/namespaces/kube-system/configmaps/kubeadm-config",
)


def expected_units(inventory: Inventory, host: Host) -> list[str]:
    """The services that must run on ``host``. Masters with etcd elsewhere reach it through a haproxy of their own."""
    names: list[str] = []
    if host in inventory.etcd:
        names.append("etcd")
        names += ["haplane-snapshot.timer"] if inventory.cluster.snapshots is not None else []
    if host in inventory.nodes:
        names += ["containerd", "kubelet"]
    if host in inventory.balancer_hosts:
        names += ["haproxy", "haplane-vrrp", "keepalived"]
    elif host in inventory.masters and inventory.etcd_is_external:
        names.append("haproxy")
    return names


def expected_programs(inventory: Inventory, host: Host) -> tuple[str, ...]:
    """The programs whose versions are given by the inventory or the bundle."""
    return (
        *(("kubelet", "kubeadm") if host in inventory.nodes else ()),
        *(("kubectl",) if host in inventory.masters else ()),
        *(("etcd",) if host in inventory.etcd else ()),
    )


def expected_tls_ports(inventory: Inventory, host: Host) -> dict[str, int]:
    """The programs that serve TLS on the host, and their ports."""
    found: dict[str, int] = {}
    if host in inventory.masters:
        found |= {"kube-apiserver": inventory.cluster.apiserver_port}
        found |= {"kube-controller-manager": 10257, "kube-scheduler": 10259}
    if host in inventory.etcd:
        found |= {"etcd": 2379, "etcd's peer port": 2380}
    if host in inventory.nodes:
        found["kubelet"] = 10250
    return found
