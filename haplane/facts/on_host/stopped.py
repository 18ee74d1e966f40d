"""Processes of services and of the cluster's own pods that somebody stopped or froze, and that nothing lets go on."""

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
CGROUPS = "/sys/fs/cgroup"
STOPPED = ("T", "t")
"""By a signal or by a debugger: /proc/PID/stat of proc(5)."""
AGAIN_SECONDS = 0.3
"""Whoever traces a program stops it for moments."""
MOST_STOPPED = 20
USERS = "/user.slice/"
"""What is below it is a user's, who may give control groups any name."""
SERVICE = re.compile(rf"/system\.slice/({'|'.join(UNITS)})\.service(?:/|$)", re.M)
PLAIN_PATH = re.compile(r"/[A-Za-z0-9_./@:\\-]{1,400}")
CONTAINER = re.compile(r"(?:cri-containerd-)?([0-9a-f]{64})(?:\.scope)?")


def stopped_processes() -> list[dict[str, Any]]:
    """Each with its unit's or container's name; those of users and of their pods are not among them."""
    found = {process: owner for process in stopped(processes()) if (owner := owner_of(process))}
    if found:
        time.sleep(AGAIN_SECONDS)
    return [
        {"program": found[process], "process": process, "frozen": plain(frozen_by(process))}
        for process in stopped(list(found))
    ][:MOST_STOPPED]


def processes() -> list[int]:
    """All of them, by number."""
    return sorted(int(entry) for entry in os.listdir(PROC) if entry.isdigit())


def stopped(among: list[int]) -> list[int]:
    """Those of them that are stopped or frozen."""
    return [process for process in among if state_of(process) in STOPPED or frozen_by(process)]


def state_of(process: int) -> str:
    """One letter; "" once it has gone."""
    with contextlib.suppress(OSError, LookupError):
        return (read(f"{PROC}/{process}/stat") or "").rpartition(")")[2].split()[0]
    return ""


def frozen_by(process: int) -> str:
    """The file that keeps a process frozen: of its control group, or of one above it; "" where none does.

    cgroup.freeze of version 2, whose processes look as if they slept; freezer.state of version 1.
    """
    for line in (read(f"{PROC}/{process}/cgroup") or "").splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        if path in ("", "/"):
            continue
        if controllers == "freezer":
            state, asked, frozen, here = "freezer.state", "freezer.self_freezing", "FROZEN", f"{CGROUPS}/freezer"
        elif not controllers:
            state, asked, frozen, here = "cgroup.events", "cgroup.freeze", "frozen 1", CGROUPS
        else:
            continue
        if frozen in (read(f"{here}{path}/{state}") or "").splitlines():
            return asking(here, path, asked).replace(asked, "cgroup.freeze" if not controllers else "freezer.state")
    return ""


def plain(path: str) -> str:
    """The path, "" where it could not be a word of a command."""
    return path if PLAIN_PATH.fullmatch(path) else ""


def asking(here: str, path: str, asked: str) -> str:
    """The file of the highest group on a path that somebody had frozen itself."""
    group = here
    for part in path.strip("/").split("/"):
        group = f"{group}/{part}"
        if (read(f"{group}/{asked}") or "").strip() == "1":
            break
    return f"{group}/{asked}"


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
