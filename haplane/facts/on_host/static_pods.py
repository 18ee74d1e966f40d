"""Which processes are kube-system's: by what the container runtime wrote down, never by a name alone."""

from __future__ import annotations

import functools
import glob
import json
import os
import re

TASKS = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"
"""containerd's own record of what runs, root's alone: a directory for each container, by its id."""

PROC = "/proc"
ROOT = 0
CONTAINER_ID = re.compile(r"[0-9a-f]{64}")
POD_UID = re.compile(r"[0-9a-f-]{32,36}")


def system_pod_processes(component: str, *, anyones: bool = False) -> list[int]:
    """The running main processes of the containers with this name in kube-system's pods of the same name.

    Root's, or with ``anyones`` of any user, in the cgroup of their container. Those of other namespaces, and of other
    programs that are called so, are not among them. Works without containerd too, and for both versions of cgroups
    and both cgroup drivers.
    """
    processes = (main_process(bundle, anyones=anyones) for bundle in bundles_of(component))
    return [process for process in processes if process is not None]


def pod_identifiers(component: str) -> list[str]:
    """The uids of the pods that these containers are in, whether or not they run."""
    found = (
        str(container_annotations(bundle).get("io.kubernetes.cri.sandbox-uid")) for bundle in bundles_of(component)
    )
    return [uid for uid in found if POD_UID.fullmatch(uid)]


def bundles_of(component: str) -> list[str]:
    """Containerd's directories of the component's containers."""
    return [bundle for bundle in sorted(glob.glob(f"{TASKS}/*")) if is_of(bundle, component)]


def container_annotations(bundle: str) -> dict[str, str]:
    """What containerd's CRI plugin notes of a container. Empty when it is gone, and before that is written."""
    try:
        return written_annotations(bundle)
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


@functools.cache
def written_annotations(bundle: str) -> dict[str, str]:
    """They never change; that they are not there yet, which is raised, is not remembered."""
    with open(f"{bundle}/config.json", encoding="utf-8") as file:
        return dict(json.load(file).get("annotations") or {})


def is_of(bundle: str, component: str) -> bool:
    """Whether this container is the component's; pods are called COMPONENT-NODE, or COMPONENT- and random letters."""
    notes = container_annotations(bundle)
    return (
        notes.get("io.kubernetes.cri.container-type") == "container"
        and notes.get("io.kubernetes.cri.container-name") == component
        and notes.get("io.kubernetes.cri.sandbox-namespace") == "kube-system"
        and str(notes.get("io.kubernetes.cri.sandbox-name")).startswith(component + "-")
    )


def main_process(bundle: str, *, anyones: bool) -> int | None:
    """The container's first process, None when it has ended: its number may be another's by now."""
    container = os.path.basename(bundle)
    try:
        with open(f"{bundle}/init.pid", encoding="ascii") as file:
            process = int(file.read())
        owner = os.stat(f"{PROC}/{process}").st_uid
        with open(f"{PROC}/{process}/stat", encoding="utf-8", errors="replace") as file:
            state = file.read().rpartition(")")[2].split()[0]
        with open(f"{PROC}/{process}/cgroup", encoding="utf-8", errors="replace") as file:
            groups = file.read().splitlines()
    except (OSError, ValueError, IndexError):
        return None
    wanted = {container, f"cri-containerd-{container}.scope"}
    inside = any(wanted & set(line.split(":", 2)[-1].split("/")) for line in groups)
    ours = CONTAINER_ID.fullmatch(container) and inside and (anyones or owner == ROOT)
    return process if ours and state not in "ZX" else None
