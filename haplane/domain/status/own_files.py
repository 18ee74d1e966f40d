"""Files and programs that haplane puts on hosts: which are gone, or not as it wrote them."""

from __future__ import annotations

from haplane.domain import host_paths
from haplane.domain.observed import HostReport
from haplane.domain.plan import MASTER_EVIDENCE, are
from haplane.domain.status.model import Roster
from haplane.domain.steps.nodes import WORKER_EVIDENCE, runs_kubelet

BALANCER_EVIDENCE = (host_paths.HAPROXY_REMEMBER_SERVERS, host_paths.KEEPALIVED_CHECK, host_paths.VRRP_FILTER_SERVICE)
"""Files that only haplane writes."""

READ_BY = {
    "etcd": (host_paths.ETCD_PKI, host_paths.ETCD_SERVICE),
    "kubelet": (host_paths.KUBELET_SERVICE,),
    "containerd": (host_paths.CONTAINERD_CONFIG_TOML, host_paths.CONTAINERD_SERVICE),
    "haproxy": ("/etc/haproxy", f"{host_paths.SYSTEMD_UNITS}/haproxy.service.d"),
    "keepalived": ("/etc/keepalived", f"{host_paths.SYSTEMD_UNITS}/keepalived.service.d"),
    "haplane-vrrp": (host_paths.VRRP_FILTER_NFT, host_paths.VRRP_FILTER_SERVICE),
    "kube-apiserver": (host_paths.HAPLANE, host_paths.KUBERNETES_PKI),
}
"""What each starts with, as files or directories."""


def spoiled(name: str, roster: Roster, report: HostReport, of: str) -> str | None:
    """What of its files is gone or not haplane's, which `up` ends; None where all is as it should be."""
    places = READ_BY.get(of, ())
    mine = [path for path in roster.files.get(name, ()) if _is_read(path, places)]
    lost = set(absent_files(name, roster, report))
    if absent := [path for path in mine if path in lost]:
        return f"{are(absent)} missing"
    if changed := changed_in(name, roster, places):
        return f"{are(changed)} not as haplane writes it"
    unusable = (f"{path}: {why}" for path, why in sorted(report.unusable.items()) if _is_read(path, places))
    return next(unusable, None)


def changed_in(name: str, roster: Roster, places: tuple[str, ...]) -> list[str]:
    """Files at or below these paths that are there and not as haplane writes them."""
    return [path for path in roster.changed.get(name, ()) if _is_read(path, places)]


def _is_read(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or host_paths.is_below(path, place) for place in places)


def node_evidence(name: str, roster: Roster) -> tuple[str, ...]:
    """Files that a host has once it is a node; none for a host that is to be none."""
    if name in roster.masters:
        return MASTER_EVIDENCE
    return WORKER_EVIDENCE if name in roster.workers else ()


def absent_files(name: str, roster: Roster, report: HostReport) -> list[str]:
    """Of what haplane puts on a host, and kubeadm's keys: once something of that host has been set up with them."""
    evidence = node_evidence(name, roster) or (BALANCER_EVIDENCE if name in roster.balancers else ())
    is_node = bool(node_evidence(name, roster)) and runs_kubelet(report)
    is_set_up = is_node or report.etcd.bootstrapped or any(path in report.files for path in evidence)
    if not is_set_up or "files" in report.failed:
        return []
    return [path for path in roster.files.get(name, ()) if path not in report.files]


def absent_programs(name: str, roster: Roster, report: HostReport) -> list[str]:
    """Programs of the bundle that are gone or not executable; those of units are named with them."""
    named = {unit.missing_program for unit in report.units.values()}
    there = report.bundle.keys() | named
    return [path for path in roster.programs.get(name, ()) if path not in there] if report.bundle else []
