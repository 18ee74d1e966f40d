"""What takes the place of a file of haplane's, or undoes what it is for."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from typing import Any

from haplane.facts.on_host.condition import SUBNET
from haplane.facts.on_host.forwarding import dropped_forwarding, listed_chains, present_tables
from haplane.facts.on_host.probe import read, run_if_installed
from haplane.facts.on_host.systemd import UNIT_SETTINGS, loaded_unit

MOST_NAME = 400
FLANNEL = "/etc/cni/net.d/10-flannel.conflist"
OUR_SYSCTL = "/etc/sysctl.d/99-haplane.conf"
SYSCTL_FILES = ("/etc/sysctl.conf", "/etc/sysctl.d/*.conf", "/run/sysctl.d/*.conf", "/usr/lib/sysctl.d/*.conf")
PROC_SYS = "/proc/sys"
MODULE_OF_BRIDGES = "br_netfilter"
SETTING = re.compile(r"^([a-z0-9_.-]+) *= *(\S+)$", re.M)
SETTINGS_THAT_COUNT = {
    "kubelet": ("ExecStart", "Environment", "EnvironmentFile", "RootDirectory", "User"),
    "containerd": ("ExecStart", "RootDirectory", "User"),  # a proxy for pulls is set by Environment
}


def precedence(pod_network: str) -> dict[str, Any]:
    """What takes the place of a file of haplane's: drop-ins of units, CNI configurations, dropped forwarding."""
    here = os.path.exists("/etc/kubernetes/kubelet.conf")
    chains = listed_chains() if here else None
    return {
        "units": overridden_units(),
        "cni": cni_configurations() if here else [],
        "tables": present_tables(chains),
        "no_subnet": here and os.path.exists(FLANNEL) and not os.path.exists(SUBNET),
        "forward": dropped_forwarding(pod_network, chains) if here else [],
        "kernel": changed_kernel_settings() if here else {},
    }


def changed_kernel_settings() -> dict[str, str]:
    """Settings of haplane's file that the kernel has otherwise -> its value, and which other file sets it so.

    Those that this kernel does not have are left out, unless it has the module that brings them.
    """
    found = {}
    for name, wanted in SETTING.findall(read(OUR_SYSCTL) or ""):
        value = (read(f"{PROC_SYS}/{name.replace('.', '/')}") or "").strip()
        if not value and is_unloaded(name):
            found[name] = f"not there, as the module {MODULE_OF_BRIDGES} is not loaded"
        elif value and value != wanted:
            setting = re.compile(rf"^\s*-?{re.escape(name)}\s*=\s*{re.escape(value)}\s*$", re.M)
            others = (path for pattern in SYSCTL_FILES for path in sorted(glob.glob(pattern)) if path != OUR_SYSCTL)
            by = next((path for path in others if setting.search(read(path) or "")), None)
            found[name] = f"{value}, set by {by}"[:MOST_NAME] if by else value[:MOST_NAME]
    return found


def is_unloaded(setting: str) -> bool:
    """Whether a module would bring the setting that is not there: some kernels have none, nor has a container."""
    try:
        dry_run = "modprobe", "--dry-run", "--quiet", MODULE_OF_BRIDGES
        return setting.startswith("net.bridge.") and run_if_installed(*dry_run) is not None
    except OSError:
        return False


def overridden_units() -> dict[str, list[str]]:
    """Unit -> files that take the place of haplane's, or change what it runs or how."""
    found = {}
    for unit, counting in SETTINGS_THAT_COUNT.items():
        mine = f"/etc/systemd/system/{unit}.service"
        fields = loaded_unit(f"{unit}.service", "FragmentPath", "DropInPaths")
        if not fields or not os.path.exists(mine):
            continue
        other = [path for path in [fields.get("FragmentPath", "")] if path and path != mine]
        other += [
            path
            for path in fields.get("DropInPaths", "").split()
            if "haplane" not in os.path.basename(path)
            and any(name in counting for name in UNIT_SETTINGS.findall(read(path) or ""))
        ]
        if other:
            found[unit] = [path[:MOST_NAME] for path in other[:5]]
    return found


def cni_configurations() -> list[str]:
    """The configurations of pod networks in the order in which containerd takes the first."""
    with contextlib.suppress(OSError):
        names = os.listdir("/etc/cni/net.d")
        return sorted(name[:MOST_NAME] for name in names if name.endswith((".conf", ".conflist", ".json")))[:20]
    return []
