"""What each host is asked, from the inventory alone. Pure: nothing is sent here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from haplane.config.model import Host, Inventory
from haplane.pki import paths

ADMIN = "/etc/kubernetes/admin.conf"
SUPER_ADMIN = "/etc/kubernetes/super-admin.conf"
KUBELET_CLIENT = "/var/lib/kubelet/pki/kubelet-client-current.pem"
ETCD_UNIT = "/etc/systemd/system/etcd.service"
ETCD_BOOTSTRAP = "/run/systemd/system/etcd.service.d/haplane-bootstrap.conf"
ETCD_DATA = "/var/lib/etcd"
CA = f"{paths.KUBERNETES_AUTHORITY}.crt"
AUDIT_POLICY = f"{paths.HAPLANE}/audit-policy.yaml"
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd", "kubelet")

STATS = (
    f"{paths.KUBERNETES_PKI}/**",
    f"{paths.ETCD_PKI}/**",
    "/etc/kubernetes/*.conf",
    "/etc/kubernetes/manifests/*",
    f"{paths.HAPLANE}/*",
    "/var/lib/kubelet/pki/*",
    "/var/lib/kubelet/config.yaml",
    "/etc/systemd/system/kubelet.service",
    "/etc/cni/net.d/*",
    ETCD_DATA,
)
CERTIFICATES = (
    f"{paths.KUBERNETES_PKI}/*.crt",
    f"{paths.KUBERNETES_PKI}/etcd/*.crt",
    f"{paths.ETCD_PKI}/*.crt",
    "/etc/kubernetes/*.conf",
    KUBELET_CLIENT,
)
VERSIONS: dict[str, list[str]] = {
    "kubelet": ["kubelet", "--version"],
    "kubeadm": ["kubeadm", "version", "-o", "short"],
    "kubectl": ["kubectl", "version", "--client", "-o", "yaml"],
    "etcd": ["etcd", "--version"],
}

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

OLD_TLS = "TLS 1.1 to "

Question = dict[str, object]


def questions(inventory: Inventory, host: Host, hashed: Iterable[str] = ()) -> dict[str, object]:
    """The request for ``host`` that ``on_host/survey.py`` answers. ``hashed`` are paths of the bundle's files."""
    hashes = sorted(hashed)
    roles = inventory.roles(host)
    return {
        "units": units(inventory, host),
        "stats": [*STATS, *hashes],
        "certificates": list(CERTIFICATES),
        "settings": [
            *([ETCD_UNIT, ETCD_BOOTSTRAP] if "etcd" in roles else []),
            *([AUDIT_POLICY] if "master" in roles else []),
        ],
        "hashes": {path: path for path in hashes},
        "versions": {name: VERSIONS[name] for name in programs(inventory, host)},
        "documents": documents(inventory, host),
        "requests": requests(inventory, host),
        "kubelets": kubelets(inventory, host),
        "processes": list(PROGRAMS),
        "encryption": paths.ENCRYPTION,
    }


def units(inventory: Inventory, host: Host) -> list[str]:
    """The services that must run on ``host``. Masters with etcd elsewhere reach it through a haproxy of their own."""
    names: list[str] = []
    if host in inventory.etcd:
        names.append("etcd")
        names += ["haplane-snapshot.timer"] if inventory.cluster.snapshots is not None else []
    if host in inventory.nodes:
        names += ["containerd", "kubelet"]
    if host in inventory.balancer_hosts:
        names += ["haproxy", "keepalived"]
    elif host in inventory.masters and inventory.etcd_is_external:
        names.append("haproxy")
    return names


def programs(inventory: Inventory, host: Host) -> tuple[str, ...]:
    """The programs whose versions are the inventory's or the bundle's to say."""
    kubernetes = ("kubelet", "kubeadm") if host in inventory.nodes else ()
    return (
        *kubernetes,
        *(("kubectl",) if host in inventory.masters else ()),
        *(("etcd",) if host in inventory.etcd else ()),
    )


def documents(inventory: Inventory, host: Host) -> dict[str, list[str]]:
    """Commands that write JSON: kubectl against the host's own API server, etcdctl against its own member."""
    found: dict[str, list[str]] = {}
    if host in inventory.masters:
        kubectl = _kubectl(inventory, host)
        found["nodes"] = [*kubectl, "get", "nodes", "-o", "json"]
        found["version"] = [*kubectl, "get", "--raw", "/version"]
    if host in inventory.etcd:
        found["members"] = [
            "etcdctl",
            f"--endpoints=https://{host.address}:2379",
            f"--cacert={paths.ETCD_MEMBER_AUTHORITY}",
            f"--cert={paths.ETCD_HEALTHCHECK_CLIENT}.crt",
            f"--key={paths.ETCD_HEALTHCHECK_CLIENT}.key",
            "--command-timeout=5s",
            "member",
            "list",
            "-w",
            "json",
        ]
    return found


def kubelets(inventory: Inventory, host: Host) -> dict[str, list[str]]:
    """Commands that write a kubelet's running configuration: each master asks its own and the workers'."""
    if host not in inventory.masters:
        return {}
    kubectl = _kubectl(inventory, host)
    return {
        node.name: [*kubectl, "get", "--raw", f"/api/v1/nodes/{node.name}/proxy/configz"]
        for node in (host, *inventory.workers)
    }


def _kubectl(inventory: Inventory, host: Host) -> list[str]:
    """How to run kubectl against the host's own API server."""
    server = f"--server=https://{host.address}:{inventory.cluster.apiserver_port}"
    return ["kubectl", f"--kubeconfig={ADMIN}", server, "--request-timeout=5s"]


def requests(inventory: Inventory, host: Host) -> dict[str, Question]:
    """HTTPS requests by name. Every node asks every API server by its own address, and the endpoint."""
    port = inventory.cluster.apiserver_port
    found: dict[str, Question] = {}
    if host in inventory.nodes:
        found["endpoint"] = _question(f"https://{inventory.cluster.endpoint}/readyz", CA)
        for master in inventory.masters:
            found[f"apiserver {master.name}"] = _question(f"https://{master.address}:{port}/readyz", CA)
    if host in inventory.masters:
        own = f"https://{host.address}:{port}"
        found |= {f"anonymous {path}": _question(own + path, CA) for path in (*OPEN_PATHS, *CLOSED_PATHS)}
        found["etcd of the API server"] = _question(
            "https://127.0.0.1:2379/health", f"{paths.ETCD_AUTHORITY}.crt", paths.APISERVER_ETCD_CLIENT
        )
    for name, port in tls_ports(inventory, host).items():
        address = host.address if name in ("kube-apiserver", "kubelet", "etcd", "etcd's peer port") else "127.0.0.1"
        found[OLD_TLS + name] = _question(f"https://{address}:{port}/", "", old=True)
    if host in inventory.etcd:
        health = f"https://{host.address}:2379/health"
        authority = paths.ETCD_MEMBER_AUTHORITY
        found["etcd health"] = _question(health, authority, paths.ETCD_HEALTHCHECK_CLIENT)
        found["etcd without a certificate"] = _question(health, authority, wait=True)
        peers = f"https://{host.address}:2380/members"
        found["etcd's peer port without a certificate"] = _question(peers, authority, wait=True)
        if host in inventory.masters:
            foreign = f"{paths.KUBERNETES_PKI}/apiserver-kubelet-client"
            found["etcd with a Kubernetes certificate"] = _question(health, authority, foreign, wait=True)
    return found


def tls_ports(inventory: Inventory, host: Host) -> dict[str, int]:
    """Who of haplane's listens for TLS on the host, and where."""
    found: dict[str, int] = {}
    if host in inventory.masters:
        found |= {"kube-apiserver": inventory.cluster.apiserver_port}
        found |= {"kube-controller-manager": 10257, "kube-scheduler": 10259}
    if host in inventory.etcd:
        found |= {"etcd": 2379, "etcd's peer port": 2380}
    if host in inventory.nodes:
        found["kubelet"] = 10250
    return found


def _question(
    url: str, authority: str, client: str | None = None, *, wait: bool = False, old: bool = False
) -> Question:
    """``client`` is the stem of a client certificate and its key."""
    pair: Mapping[str, str | None] = {
        "certificate": None if client is None else f"{client}.crt",
        "key": None if client is None else f"{client}.key",
    }
    return {"url": url, "authority": authority, **pair, "wait": wait, "old": old}
