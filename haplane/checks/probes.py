"""The probes for each host, from the inventory alone. Pure: nothing is sent here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from haplane.checks.expectations import (
    CLOSED_PATHS,
    OPEN_PATHS,
    expected_programs,
    expected_tls_ports,
    expected_units,
)
from haplane.config.model import Host, Inventory
from haplane.domain import host_paths

RUNNING = {
    "pods": ["kube-apiserver", "kube-controller-manager", "kube-scheduler"],
    "services": ["etcd", "kubelet"],
    "variables": [
        "ETCD_AUTO_TLS",
        "ETCD_PEER_AUTO_TLS",
        "ETCD_CONFIG_FILE",
        "ETCD_CLIENT_CERT_AUTH",
        "ETCD_PEER_CLIENT_CERT_AUTH",
    ],
}
"""The programs whose processes are looked at, and the variables that etcd reads where it has no flag."""

STATS = (
    f"{host_paths.KUBERNETES_PKI}/**",
    f"{host_paths.ETCD_PKI}/**",
    host_paths.KUBECONFIGS,
    f"{host_paths.STATIC_PODS}/*",
    f"{host_paths.HAPLANE}/*",
    f"{host_paths.KUBELET_PKI}/*",
    host_paths.KUBELET_CONFIG_YAML,
    host_paths.KUBELET_SERVICE,
    f"{host_paths.CNI_CONFIG}/*",
    f"{host_paths.CNI_NETWORKS}/**",
    host_paths.ETCD_DATA,
)
CERTIFICATES = (
    f"{host_paths.KUBERNETES_PKI}/*.crt",
    f"{host_paths.KUBERNETES_PKI}/etcd/*.crt",
    f"{host_paths.ETCD_PKI}/*.crt",
    host_paths.KUBECONFIGS,
    host_paths.KUBELET_CLIENT_PEM,
    host_paths.KUBELET_SERVING_CRT,
)
VERSIONS: dict[str, list[str]] = {
    "kubelet": ["kubelet", "--version"],
    "kubeadm": ["kubeadm", "version", "-o", "short"],
    "kubectl": ["kubectl", "version", "--client", "-o", "yaml"],
    "etcd": ["etcd", "--version"],
}

OLD_TLS = "TLS 1.1 to "

Request = dict[str, object]


def probes_for(inventory: Inventory, host: Host, hashed: Iterable[str] = ()) -> dict[str, object]:
    """The request for ``host`` to ``on_host/host_facts.py``. ``hashed`` are paths of the bundle's files."""
    hashes = sorted(hashed)
    roles = inventory.roles(host)
    return {
        "units": expected_units(inventory, host),
        "stats": [*STATS, *hashes],
        "certificates": list(CERTIFICATES),
        "settings": [host_paths.ETCD_SERVICE, host_paths.ETCD_BOOTSTRAP_DROP_IN] if "etcd" in roles else [],
        "hashes": {path: path for path in hashes},
        "versions": {name: VERSIONS[name] for name in expected_programs(inventory, host)},
        "documents": documents(inventory, host),
        "requests": requests(inventory, host),
        "kubelets": kubelets(inventory, host),
        "running": RUNNING,
    }


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
            f"--cacert={host_paths.ETCD_MEMBER_CA_CRT}",
            f"--cert={host_paths.ETCD_HEALTHCHECK_CLIENT_STEM}.crt",
            f"--key={host_paths.ETCD_HEALTHCHECK_CLIENT_STEM}.key",
            "--command-timeout=5s",
            "member",
            "list",
            "-w",
            "json",
        ]
    return found


def kubelets(inventory: Inventory, host: Host) -> dict[str, list[str]]:
    """Commands that write a kubelet's running configuration: each master reads its own and the workers'."""
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
    return ["kubectl", f"--kubeconfig={host_paths.ADMIN_KUBECONFIG}", server, "--request-timeout=5s"]


def requests(inventory: Inventory, host: Host) -> dict[str, Request]:
    """HTTPS requests by name. Every node requests every API server at its own address, and the endpoint."""
    port = inventory.cluster.apiserver_port
    found: dict[str, Request] = {}
    if host in inventory.nodes:
        found["endpoint"] = _request(f"https://{inventory.cluster.endpoint}/readyz", host_paths.KUBERNETES_CA_CRT)
        found["kubelet"] = _request(f"https://{host.address}:10250/healthz", host_paths.KUBERNETES_CA_CRT)
        for master in inventory.masters:
            found[f"apiserver {master.name}"] = _request(
                f"https://{master.address}:{port}/readyz", host_paths.KUBERNETES_CA_CRT
            )
    if host in inventory.masters:
        own = f"https://{host.address}:{port}"
        found |= {
            f"anonymous {path}": _request(own + path, host_paths.KUBERNETES_CA_CRT)
            for path in (*OPEN_PATHS, *CLOSED_PATHS)
        }
        found["etcd of the API server"] = _request(
            "https://127.0.0.1:2379/health", host_paths.ETCD_CA_CRT, host_paths.APISERVER_ETCD_CLIENT_STEM
        )
    for name, port in expected_tls_ports(inventory, host).items():
        address = host.address if name in ("kube-apiserver", "kubelet", "etcd", "etcd's peer port") else "127.0.0.1"
        found[OLD_TLS + name] = _request(f"https://{address}:{port}/", "", old=True)
    if host in inventory.etcd:
        health = f"https://{host.address}:2379/health"
        ca = host_paths.ETCD_MEMBER_CA_CRT
        found["etcd health"] = _request(health, ca, host_paths.ETCD_HEALTHCHECK_CLIENT_STEM)
        found["etcd without a certificate"] = _request(health, ca, wait=True)
        peers = f"https://{host.address}:2380/members"
        found["etcd's peer port without a certificate"] = _request(peers, ca, wait=True)
        if host in inventory.masters:
            foreign = f"{host_paths.KUBERNETES_PKI}/apiserver-kubelet-client"
            found["etcd with a Kubernetes certificate"] = _request(health, ca, foreign, wait=True)
    return found


def _request(url: str, ca: str, client: str | None = None, *, wait: bool = False, old: bool = False) -> Request:
    """``client`` is the stem of a client certificate and its key."""
    pair: Mapping[str, str | None] = {
        "certificate": None if client is None else f"{client}.crt",
        "key": None if client is None else f"{client}.key",
    }
    return {"url": url, "ca": ca, **pair, "wait": wait, "old": old}
