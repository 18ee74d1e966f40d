"""What a site has done with its hosts that a cluster cannot live with, or would destroy. Pure.

Most of it is asked of hosts that are still fresh: what a running cluster has made of a host is no obstacle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from haplane.domain import host_paths
from haplane.domain.observed import HostReport
from haplane.domain.platform import version
from haplane.domain.problem import word
from haplane.errors import HaplaneError

NFTABLES_KERNEL = (5, 13)
"""Since when kube-proxy's nftables mode works (pkg/proxy/nftables, CanUseNFTablesProxier)."""


@dataclass(frozen=True)
class Site:
    """What the inventory says. ``masters`` and ``hosts`` are addresses, ``nodes`` and ``balancers`` names."""

    masters: tuple[str, ...]
    hosts: frozenset[str]
    nodes: frozenset[str]
    balancers: frozenset[str]
    endpoint: str
    pod_network: str
    service_network: str
    own_pod_network: bool
    proxy_mode: str
    resolv_conf_is_set: bool = False


def site_problems(site: Site, reports: Mapping[str, HostReport]) -> list[HaplaneError]:
    """Every problem of every host that answered."""
    found = [*_same_identity(site, reports)]
    for name, report in reports.items():
        if name in site.nodes:
            found += _kernel(name, report, site)
        if name in site.nodes and report.fresh:
            found += [*_networks(name, report, site), *_files(name, report, site)]
            found += [] if site.resolv_conf_is_set else _name_servers(name, report)
        if name in site.balancers:
            found += _balancer(name, report, site)
    return found


def _same_identity(site: Site, reports: Mapping[str, HostReport]) -> Iterator[HaplaneError]:
    """Hosts that were cloned: Kubernetes, CNI plugins and journals take them for one."""
    machines = {name: reports[name].surroundings for name in reports if name in site.nodes}
    for values, what, fix in (
        (
            {name: one.machine_id for name, one in machines.items()},
            "/etc/machine-id",
            "`rm /etc/machine-id && systemd-machine-id-setup`, then reboot it",
        ),
        (
            {name: one.product_uuid for name, one in machines.items()},
            "product_uuid",
            "give the virtual machine a UUID of its own, then restart it",
        ),
    ):
        holders: dict[str, list[str]] = {}
        for name, value in values.items():
            if value.strip("0f-"):  # firmware without one has zeros
                holders.setdefault(value, []).append(name)
        for value, names in holders.items():
            if len(names) > 1 and any(reports[name].fresh for name in names):
                yield HaplaneError(
                    f"{', '.join(names)} have the same {what}",
                    why=f"{value}: they were cloned from one image",
                    next_step=f"on all but one of them: {fix}",
                )


def _kernel(name: str, report: HostReport, site: Site) -> Iterator[HaplaneError]:
    kernel = report.surroundings.kernel
    if site.proxy_mode == "nftables" and kernel and version(kernel) < NFTABLES_KERNEL:
        yield HaplaneError(
            f"{name}: its kernel is too old for kube-proxy's nftables mode",
            why=f"it is {kernel}, and the mode needs {'.'.join(map(str, NFTABLES_KERNEL))}",
            next_step='use a newer kernel, or set cluster["proxy_mode"] = "iptables" (with official images)',
        )


def _networks(name: str, report: HostReport, site: Site) -> Iterator[HaplaneError]:
    for setting, wanted in (("pod_network", site.pod_network), ("service_network", site.service_network)):
        gateways = site.hosts if setting == "pod_network" else ()
        if taken := [str(one) for one in report.surroundings.of_others(wanted, gateways)]:
            yield HaplaneError(
                f"{name}: {setting} {wanted} overlaps a network that it is in",
                why=f"it has {', '.join(dict.fromkeys(taken))}",
                next_step=f'choose another cluster["{setting}"], or remove that network from the host',
            )


def _name_servers(name: str, report: HostReport) -> Iterator[HaplaneError]:
    """CoreDNS asks whom the host asks: a server at 127.x is CoreDNS itself, and it ends for that."""
    seen = report.surroundings
    if seen.name_servers and all(_is_loopback(one) for one in seen.name_servers):
        yield HaplaneError(
            f"{name}: {seen.resolv_conf} names only this host as name server ({', '.join(seen.name_servers)})",
            why="pods get the same list, and CoreDNS would query itself in a loop",
            next_step='point kubelets at a file with real name servers: cluster["tuning"]["kubelet"] = '
            '{"resolvConf": "/etc/resolv-upstream.conf"}, or name them there',
        )


def _is_loopback(text: str) -> bool:
    try:
        return ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _files(name: str, report: HostReport, site: Site) -> Iterator[HaplaneError]:
    """Files in directories that the kubelet and the runtime read whole."""
    seen = report.surroundings
    found = [
        (f"{host_paths.STATIC_PODS}/{one}", "the kubelet runs every manifest in that directory")
        for one in seen.manifests
        if f"{host_paths.STATIC_PODS}/{one}" not in host_paths.CONTROL_PLANE_MANIFESTS
    ]
    found += [(path, "it changes what the kubelet's unit runs") for path in seen.kubelet_files]
    if site.own_pod_network:
        configurations = [f"{host_paths.CNI_CONFIG}/{one}" for one in seen.cni]
        found += [
            (path, "containerd takes the first configuration of that directory")
            for path in configurations
            if path < host_paths.FLANNEL_CONFLIST and path.endswith((".conf", ".conflist", ".json"))
        ]
    for path, why in found:
        yield HaplaneError(
            f"{name}: {path} is not haplane's", why=why, next_step=f"move it away: `mv {word(path)} /root/`"
        )


def _balancer(name: str, report: HostReport, site: Site) -> Iterator[HaplaneError]:
    seen = report.balancer
    unknown = [address for address in seen.balanced if address not in site.masters]
    if seen.balanced and len(unknown) == len(seen.balanced):
        held = [one for one in seen.addresses if one != site.endpoint]
        yield HaplaneError(
            f"{name}: it is a load balancer of another cluster",
            why=f"its haproxy balances {', '.join(seen.balanced)}" + (f" behind {', '.join(held)}" if held else ""),
            next_step=f"use other load balancers; or, if that cluster is gone: `haplane reset INVENTORY {name}`",
        )
    for program in dict.fromkeys(one.program for one in seen.other_sections):
        files = [f"{one.path}: {', '.join(one.sections)}" for one in seen.other_sections if one.program == program]
        yield HaplaneError(
            f"{name}: its {program} serves something else too",
            where=f"{name}: {'; '.join(files)}",
            why=f"haplane replaces the whole configuration of {program}, and they would be lost",
            next_step="move them to another host; or keep a copy of the file, remove them from it and run again",
        )
