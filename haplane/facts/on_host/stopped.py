"""Processes of services and of the cluster's own pods that somebody stopped, and that nothing lets go on."""

from __future__ import annotations

import contextlib
import os
import re
import time
from typing import Any

from haplane.facts.on_host.probe import read
from haplane.facts.on_host.static_pods import PROC, TASKS, container_annotations

UNITS = ("etcd", "kubelet", "containerd", "haproxy", "keepalived")
OWN_NAMESPACES = ("kube-system", "kube-flannel")
STOPPED = ("T", "t")
"""By a signal or by a debugger: /proc/PID/stat of proc(5)."""
AGAIN_SECONDS = 0.3
"""Whoever traces a program stops it for moments."""
MOST_STOPPED = 20
USERS = "/user.slice/"
"""What is below it is a user's, who may give control groups any name."""
SERVICE = re.compile(rf"/system\.slice/({'|'.join(UNITS)})\.service(?:/|$)", re.M)
CONTAINER = re.compile(r"(?:cri-containerd-)?([0-9a-f]{64})(?:\.scope)?")


def stopped_processes() -> list[dict[str, Any]]:
    """Each with its unit's or container's name; those of users and of their pods are not among them."""
    found = {process: owner for process in stopped(processes()) if (owner := owner_of(process))}
    if found:
        time.sleep(AGAIN_SECONDS)
    return [{"program": found[process], "process": process} for process in stopped(list(found))][:MOST_STOPPED]


def processes() -> list[int]:
    """All of them, by number."""
    return sorted(int(entry) for entry in os.listdir(PROC) if entry.isdigit())


def stopped(among: list[int]) -> list[int]:
    """Those of them that are stopped."""
    return [process for process in among if state_of(process) in STOPPED]


def state_of(process: int) -> str:
    """One letter; "" once it has gone."""
    with contextlib.suppress(OSError, LookupError):
        return (read(f"{PROC}/{process}/stat") or "").rpartition(")")[2].split()[0]
    return ""


def owner_of(process: int) -> str:
    """The name of the service or of the container that it belongs to, "" for any other's, by its control group."""
    with contextlib.suppress(OSError):
        groups = read(f"{PROC}/{process}/cgroup") or ""
        if USERS in groups:
            return ""
        for part in re.split(r"[/\n]", groups):
            if container := CONTAINER.fullmatch(part):
                notes = container_annotations(f"{TASKS}/{container.group(1)}")
                ours = notes.get("io.kubernetes.cri.sandbox-namespace") in OWN_NAMESPACES
                return str(notes.get("io.kubernetes.cri.container-name", "")) if ours else ""
        if service := SERVICE.search(groups):
            return service[1]
    return ""
