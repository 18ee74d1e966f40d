"""What a host was before haplane: its identity, kernel, name servers, networks, and files where Kubernetes looks."""

from __future__ import annotations

import contextlib
import glob
import ipaddress
import json
import os
import platform
import re
from typing import Any

from haplane.facts.on_host.dns import silent_servers
from haplane.facts.on_host.probe import output_of, read, run
from haplane.facts.on_host.systemd import UNIT_SETTINGS

STUB_FREE = "/run/systemd/resolve/resolv.conf"
MOST = 200
MOST_NETWORKS = 2000
"""A route to each node's pods is one of them."""
FOREIGN_KUBELET_FILES = (
    "/usr/lib/systemd/system/kubelet.service.d/*.conf",
    "/lib/systemd/system/kubelet.service.d/*.conf",
    "/etc/systemd/system/kubelet.service.d/*.conf",
)
EXECUTED = ("/usr/local/bin", "/opt/cni/bin", "/var/lib/containerd")
"""What runs programs that haplane brings: services, the kubelet and containers."""


def surroundings(networks: list[str]) -> dict[str, Any]:
    """All of it, and of its networks those that overlap these; files that cannot be read are empty.

    Raises OSError when a program does not answer.
    """
    resolv_conf = STUB_FREE if resolves_by_systemd() else "/etc/resolv.conf"
    servers = re.findall(r"^\s*nameserver\s+(\S{1,60})", read(resolv_conf) or "", re.M)[:10]
    return {
        "machine_id": (read("/etc/machine-id") or "").strip()[:64],
        "product_uuid": "" if in_container() else (read("/sys/class/dmi/id/product_uuid") or "").strip().lower()[:64],
        "kernel": platform.release()[:MOST],
        "resolv_conf": resolv_conf,
        "name_servers": servers,
        "silent_servers": silent_servers(servers) if os.path.exists("/etc/kubernetes/kubelet.conf") else [],
        "networks": attached_networks(networks),
        "manifests": names("/etc/kubernetes/manifests"),
        "cni": names("/etc/cni/net.d"),
        "kubelet_files": kubelet_files(),
        "no_exec": [path for path in EXECUTED if is_no_exec(path)],
    }


def resolves_by_systemd() -> bool:
    """Whether kubeadm would give pods systemd-resolved's own list instead of its stub at 127.0.0.53."""
    return os.path.exists(STUB_FREE) and run("systemctl", "is-active", "systemd-resolved") is not None


def in_container() -> bool:
    """Whether the firmware's identity is that of another machine, which this one shares."""
    return os.path.exists("/run/systemd/container") or os.path.exists("/run/host/container-manager")


def attached_networks(wanted: list[str]) -> list[dict[str, str]]:
    """Networks of addresses and routes that overlap the wanted ones, with device and gateway.

    Not the default route, nor local ones.
    """
    found = set()
    for link in json.loads(output_of("ip", "-j", "-4", "address") or "[]"):
        for one in link.get("addr_info", []):
            found.add((f"{one['local']}/{one['prefixlen']}", str(link.get("ifname", "")), ""))
    for route in json.loads(output_of("ip", "-j", "-4", "route", "show", "table", "all") or "[]"):
        if route.get("type", "unicast") in {"unicast", "blackhole", "unreachable", "prohibit"}:
            found.add((str(route.get("dst", "default")), str(route.get("dev", "")), str(route.get("gateway", ""))))
    return [
        {"network": network, "device": device, "gateway": gateway}
        for network, device, gateway in sorted(found)
        if network != "default" and any(overlap(network, one) for one in wanted)
    ][:MOST_NETWORKS]


def overlap(network: str, wanted: str) -> bool:
    """Whether they have addresses in common."""
    with contextlib.suppress(ValueError):
        return ipaddress.IPv4Network(network, strict=False).overlaps(ipaddress.IPv4Network(wanted))
    return False


def names(directory: str) -> list[str]:
    """What is in a directory, hidden files left out."""
    with contextlib.suppress(OSError):
        return sorted(name[:MOST] for name in os.listdir(directory) if not name.startswith("."))[:20]
    return []


def kubelet_files() -> list[str]:
    """Drop-ins of the kubelet's unit, by whoever, that change what it runs."""
    paths = {os.path.realpath(path) for pattern in FOREIGN_KUBELET_FILES for path in glob.glob(pattern)}
    return sorted(p for p in paths if "haplane" not in os.path.basename(p) and UNIT_SETTINGS.search(read(p) or ""))[
        :20
    ]


def is_no_exec(path: str) -> bool:
    """Whether no program may run from there, or from where it will be made."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return bool(os.statvfs(path).f_flag & os.ST_NOEXEC)
