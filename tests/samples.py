"""Inventories, a bundle's manifest and hosts' reports for tests: sound, but for what a test changes."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from ipaddress import IPv4Address
from typing import Any, cast

from haplane.bundle.manifest import Manifest
from haplane.config.model import Cluster, Host, Inventory, Ssh
from haplane.desired.hosts import Sources, cluster_wants, needed_paths, request_for, wants_of
from haplane.desired.user_files import read_user_files
from haplane.domain import host_paths
from haplane.domain.observed import HostReport, Observation
from haplane.domain.plan import CONTROL_PLANE_LABELS, MADE_LABEL, MASTER_EVIDENCE, ClusterWants, Wants
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.pki.etcd_certificates import etcd_server_files
from haplane.pki.kubelet_certificates import kubelet_client

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
SHA256 = "0" * 64
CLUSTER_ID = 0xC1
NETWORK_MANIFEST = "apiVersion: v1\nkind: Namespace\nmetadata: {name: calico}\n"
"""Of a pod network of the user's own."""


def host(name: str, number: int) -> Host:
    address = f"10.0.0.{number}"
    return Host(name=name, address=IPv4Address(address), ssh=Ssh(hostname=address))


def inventory(*, masters: int = 3, etcd: int = 0, balancers: int = 2, workers: int = 0, **cluster: Any) -> Inventory:
    """Without ``etcd`` the masters are the members; without ``balancers`` haproxy runs beside the API servers."""
    port = 6443 if balancers else 8443
    version = manifest().kubernetes_version
    settings = {"name": "test", "endpoint": f"10.0.0.10:{port}", "kubernetes_version": version, **cluster}
    hosts = tuple(host(f"m{number}", 20 + number) for number in range(1, masters + 1))
    return Inventory(
        path="inventories/test.py",
        cluster=Cluster.model_validate(settings),
        masters=hosts,
        etcd=tuple(host(f"e{number}", 40 + number) for number in range(1, etcd + 1)) or hosts,
        load_balancers=tuple(host(f"lb{number}", 10 + number) for number in range(1, balancers + 1)),
        workers=tuple(host(f"w{number}", 60 + number) for number in range(1, workers + 1)),
    )


def _file(path: str, roles: list[str]) -> dict[str, Any]:
    name = path.rsplit("/", 1)[1]
    return {
        "component": name, "path": path, "sha256": SHA256, "size": 1, "mode": 0o755, "stored": name,
        "stored_size": 1, "compression": "none", "roles": roles,
    }  # fmt: skip


@cache
def manifest() -> Manifest:
    node, master = ["master", "worker"], ["master"]
    files = {
        "kubeadm": node, "kubelet": node, "containerd": node, "kubectl": master, "etcd": ["etcd"],
        "etcdctl": ["etcd"], "age": ["master", "etcd"],
    }  # fmt: skip
    images = {
        "registry.k8s.io/kube-apiserver:v1.35.4": master,
        "docker.io/flannel/flannel:v0.26.7": node,
        "registry.k8s.io/pause:3.10.1": node,
    }
    return Manifest.model_validate(
        {
            "kubernetes_version": "1.35.4", "etcd_version": "3.6.16", "architecture": "amd64", "source": "modules",
            "versions": {}, "checksums": {},
            "files": [_file(f"/usr/local/bin/{name}", roles) for name, roles in files.items()],
            "images": [
                {"reference": name, "file": _file(f"/var/lib/haplane/images/{number}.tar", roles)}
                for number, (name, roles) in enumerate(images.items())
            ],
        }
    )  # fmt: skip


@cache
def kubelet_pem(name: str, when: datetime = NOW) -> str:
    """The client certificate of a node's kubelet."""
    return kubelet_client(identity().kubernetes, name, when).certificate.decode()


@cache
def identity() -> ClusterIdentity:
    return ClusterIdentity.generate("test", NOW)


def document(name: str = "m1", address: str = "10.0.0.21", **changes: Any) -> dict[str, Any]:
    """A report as JSON has it, of a machine with nothing on it."""
    return {
        "machine": {
            "os_id": "debian", "os_version": "12", "architecture": "x86_64",
            "init": "systemd", "user_id": 0, "memory_bytes": 4 << 30, "swap_bytes": 0,
            "disk_free_bytes": 40 << 30, "cgroups": "v2", "missing_commands": [],
        },
        "addresses": {"lo": ["127.0.0.1"], "eth1": [address]},
        "listening": {"22": "sshd"},
        "files": {},
        "bundle": {},
        "certificates": {},
        "units": {},
        "images": None,
        "etcd": {
            "bootstrapped": False, "has_data": False, "status": None, "members": None, "reads_through_quorum": False,
        },
        "apiserver": {"ready": False},
        "kubernetes": None,
        "balancer": {"holds_endpoint": False, "endpoint_answers": False, "servers": None},
        "snapshots": None,
        "leftovers": {"etcd_free_bytes": 40 << 30},
        "started_at": 100.0,
        "finished_at": 101.0,
    } | changes  # fmt: skip


def report(name: str = "m1", address: str = "10.0.0.21", **changes: Any) -> HostReport:
    return HostReport.model_validate(document(name, address, **changes))


def holding(**digests: Any) -> HostReport:
    """A report whose files have these digests, by path; ``data`` says that etcd has been used."""
    used = digests.pop("data", False)
    files = {path: {"sha256": digest * 64, "mode": 0o600, "user_id": 0} for path, digest in digests.items()}
    return report(files=files, etcd=document()["etcd"] | {"has_data": used})


def cluster_of(given: Inventory) -> ClusterWants:
    return cluster_wants(given, manifest(), read_user_files(given))


def wants(
    given: Inventory, reports: dict[str, HostReport], now: datetime = NOW, *, renew: bool = False
) -> dict[str, Wants]:
    """What every host that answered should be, as `up` works it out."""
    sources = Sources(
        inventory=given,
        manifest=manifest(),
        etcd_ca=identity().etcd.certificate,
        kubernetes_ca=identity().kubernetes.certificate,
        renew=renew,
        user_files=read_user_files(given),
    )
    found = {each.name: each for each in given.hosts if each.name in reports}
    return {name: wants_of(sources, each, reports[name], now) for name, each in found.items()}


def fresh(given: Inventory) -> Observation:
    """Every host answers and has nothing."""
    return Observation(reports={each.name: report(each.name, str(each.address)) for each in given.hosts})


def converged(given: Inventory) -> Observation:
    """Every host is as the inventory says."""
    key = f"{given.model_dump_json()} {read_user_files(given)}"
    if key not in _converged:
        _converged[key] = _converge(given)
    return Observation(reports={name: HostReport.model_validate(one) for name, one in _converged[key].items()})


_converged: dict[str, dict[str, dict[str, Any]]] = {}
"""Documents of the reports by inventory and user files: a thousand tests begin with the same few."""


def _converge(given: Inventory) -> dict[str, dict[str, Any]]:
    wished = wants(given, fresh(given).reports)
    kubernetes = _kubernetes(given)
    asked = set(cast("list[str]", request_for(given, manifest())["files"]))
    reports = {}
    for each in given.hosts:
        wanted = wished[each.name]
        master = each in given.masters
        made = (*wanted.identity, *needed_paths(given)[each.name], *(MASTER_EVIDENCE if each in given.nodes else ()))
        present = dict.fromkeys(made, SHA256)
        files = {path: _found(sha256) for path, sha256 in present.items()}
        files |= {file.path: _found(file.sha256, file.mode) for file in wanted.files}
        reports[each.name] = document(
            each.name,
            str(each.address),
            files={path: found for path, found in files.items() if path in asked},
            made=dict.fromkeys((*host_paths.CONTROL_PLANE_MANIFESTS, host_paths.KUBELET_CONFIG_YAML), SHA256)
            if each in given.nodes
            else {},
            bundle=dict(wanted.bundle),
            certificates={host_paths.KUBELET_CLIENT_PEM: kubelet_pem(each.name)} if each in given.nodes else {},
            images=list(wanted.images),
            units={
                unit: {"active": True, "enabled": True, "needs_reload": False}
                for unit in (*wanted.units, *wanted.packages)
            },
            etcd=_member(given, each) if each in given.etcd else document()["etcd"],
            apiserver={"ready": master},
            kubernetes=kubernetes if master else None,
            components=components() if master else {},
            workloads=workloads(given) if master else None,
            balancer={
                "holds_endpoint": each == next(iter(given.balancer_hosts), None),
                "endpoint_answers": False,
                "servers": servers(given, each),
            },
        )
    return reports


def servers(given: Inventory, each: Host, **statuses: str) -> list[dict[str, str]] | None:
    """What haproxy on that host reports, all UP but for these; None where it has no haproxy."""
    found = {"apiservers": given.masters} if each in given.balancer_hosts else {}
    found |= {"etcd": given.etcd} if each in given.masters and given.etcd_is_external else {}
    return [
        {"backend": backend, "name": one.name, "status": statuses.get(one.name, "UP")}
        for backend, hosts in found.items()
        for one in hosts
    ] or None


def altered(observation: Observation, name: str, **changes: Any) -> Observation:
    """The same moment, but for these fields of one host's report."""
    old = observation.reports[name].model_dump(by_alias=True)
    return Observation(reports={**observation.reports, name: HostReport.model_validate(old | changes)})


def _found(sha256: str, mode: int = 0o600) -> dict[str, Any]:
    return {"sha256": sha256, "mode": mode, "user_id": 0}


def _member(given: Inventory, each: Host) -> dict[str, Any]:
    members = [
        {"ID": number, "name": one.name, "peerURLs": [f"https://{one.address}:2380"]}
        for number, one in enumerate(given.etcd, start=1)
    ]
    mine = given.etcd.index(each) + 1
    return {
        "bootstrapped": True, "has_data": True, "reads_through_quorum": True, "members": members,
        "status": {"header": {"cluster_id": CLUSTER_ID, "member_id": mine, "revision": 100}, "dbSize": 1 << 20,
                   "dbSizeInUse": 1 << 19, "dbSizeQuota": 2 << 30, "leader": 1},
        "data_cluster_id": CLUSTER_ID,
    }  # fmt: skip


def restored_alone(observation: Observation, name: str) -> Observation:
    """Somebody has restored a snapshot on that host with etcdutl: a cluster of its own, which serves."""
    etcd = observation.reports[name].etcd.model_dump(by_alias=True)
    own = {"ID": 0xB0B, "name": name, "peerURLs": [f"https://{name}:2380"]}
    etcd["status"] |= {"header": {"cluster_id": 0xB, "member_id": 0xB0B, "revision": 7}, "leader": 0xB0B}
    return altered(observation, name, etcd=etcd | {"members": [own], "data_cluster_id": 0xB})


def _kubernetes(given: Inventory) -> dict[str, Any]:
    taints = [] if given.cluster.masters_run_pods else ["node-role.kubernetes.io/control-plane:NoSchedule"]
    nodes = [
        {
            "name": each.name, "uid": each.name, "ready": True, "unschedulable": False, "kubelet_version": "v1.35.4",
            "addresses": [str(each.address), each.name],
            "labels": sorted({MADE_LABEL, *(CONTROL_PLANE_LABELS if each in given.masters else ())}),
            "taints": taints if each in given.masters else [], "address": str(each.address),
        }
        for each in given.nodes
    ]  # fmt: skip
    objects = ["coredns", "haplane", "kube-proxy", "kubeadm-config"]
    applied = cluster_of(given).applied
    return {"uid": "cluster-1", "nodes": nodes, "objects": objects, "applied": applied, "coredns_ready": 2}


def components(**changes: Any) -> dict[str, Any]:
    """A master's static pods, all well, but for these."""
    names = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    return {"of": {name: {} for name in names} | {name.replace("_", "-"): one for name, one in changes.items()}}


def workloads(given: Inventory, **changes: Any) -> dict[str, Any]:
    """What an API server reports of a cluster where nothing is amiss, but for these."""
    nodes = len(given.nodes)
    sets = [
        {"name": name, "desired": nodes, "ready": nodes}
        for name in ("kube-flannel/flannel", "kube-system/kube-proxy")
    ]
    leases = {name: {"holder": "m1_1", "age_seconds": 1.5} for name in ("kube-controller-manager", "kube-scheduler")}
    return {"daemon_sets": sets, "leases": leases} | changes


def leaves(each: Host, when: datetime = NOW) -> dict[str, bytes]:
    """An etcd member's certificates and keys by path."""
    return etcd_server_files(identity(), each.name, each.address, when)


def replaced_masters(*, off: tuple[str, ...] = ()) -> tuple[Inventory, Observation]:
    """m1 lost its data, m4 and m5 are new, and m2 and m3, which leave, serve: two of the three voters."""
    base = inventory()
    new = (host("m4", 24), host("m5", 25))
    masters = (base.masters[0], *new)
    given = base.model_copy(update={"masters": masters, "etcd": masters, "leaving": base.masters[1:]})
    lost = document()["etcd"] | {"bootstrapped": True}
    observation = altered(converged(base), "m1", etcd=lost)
    reports = {each.name: report(each.name, str(each.address)) for each in new} | observation.reports
    there = {name: found for name, found in reports.items() if name not in off}
    return given, Observation(reports=there, unreachable=dict.fromkeys(off, "off"))


def stopped(observation: Observation, *names: str) -> Observation:
    """The same with etcd stopped on these hosts, their data intact."""
    down = {"status": None, "members": None, "reads_through_quorum": False}
    unit = {"active": False, "enabled": True, "needs_reload": False}
    for name in names:
        found = observation.reports[name].model_dump(by_alias=True)
        changed = altered(observation, name, etcd=found["etcd"] | down, units=found["units"] | {"etcd": unit})
        observation = replace(changed, unreachable=observation.unreachable)
    return observation
