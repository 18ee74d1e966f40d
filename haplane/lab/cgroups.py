"""A host's place in every cgroup hierarchy of this machine.

On version 1 each controller is a hierarchy of its own; a host must be in a subtree of its own in *all* of them, also
those without a controller (``systemd``, ``unified``): left out of one, all hosts would share its ``/kubepods``, and
their kubelets would fight. On version 2 there is one hierarchy, and controllers are delegated downwards.

The processes in a host's cgroup are the host: that is how it is found, whoever started it and whatever died since.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from haplane.errors import HaplaneError
from haplane.waiting import wait_until

MOUNTINFO = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class Hierarchy:
    """One mounted hierarchy. ``kind`` is mountinfo's file system type, ``cgroup`` or ``cgroup2``."""

    mount: Path
    kind: str
    options: frozenset[str]


def parse(mountinfo: str) -> tuple[Hierarchy, ...]:
    """The cgroup hierarchies in the text of /proc/PID/mountinfo (see proc(5)), each once, those of systemd first."""
    found: dict[str, Hierarchy] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        mount, (kind, _, options) = before.split()[4], after.split()[:3]
        if kind in ("cgroup", "cgroup2"):
            found.setdefault(kind + options, Hierarchy(Path(mount), kind, frozenset(options.split(","))))
    return tuple(sorted(found.values(), key=lambda one: one.kind == "cgroup" and "name=systemd" not in one.options))


def hierarchies() -> tuple[Hierarchy, ...]:
    """Those of the machine we run on. Raises HaplaneError when there are none."""
    found = parse(MOUNTINFO.read_text())
    if not found:
        raise HaplaneError(
            "no cgroup hierarchy is mounted on this machine", next_step="mount cgroup2 on /sys/fs/cgroup"
        )
    return found


def make(cgroup: str) -> tuple[Path, ...]:
    """Make ``cgroup`` (a path like ``haplane/lab/host``) everywhere; return the files a process writes its id to."""
    return tuple(_make(hierarchy, cgroup) / "cgroup.procs" for hierarchy in hierarchies())


def _make(hierarchy: Hierarchy, cgroup: str) -> Path:
    parent = hierarchy.mount
    for name in cgroup.split("/"):
        if hierarchy.kind == "cgroup2":
            _delegate(parent)
        child = parent / name
        child.mkdir(exist_ok=True)
        if "cpuset" in hierarchy.options:
            _inherit_cpuset(parent, child)
        parent = child
    return parent


def _delegate(parent: Path) -> None:
    """Let the children of a version 2 cgroup use every controller it has."""
    for controller in (parent / "cgroup.controllers").read_text().split():
        (parent / "cgroup.subtree_control").write_text(f"+{controller}")


def _inherit_cpuset(parent: Path, child: Path) -> None:
    """On version 1 a new cpuset is empty and takes no process before it has processors and memory."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        (child / name).write_text((parent / name).read_text())
    (child / "cgroup.clone_children").write_text("1")


def members(cgroup: str) -> frozenset[int]:
    """The ids of all processes in that subtree, in any hierarchy; none when it does not exist."""
    ids: set[int] = set()
    for hierarchy in hierarchies():
        for directory in _subtree(hierarchy.mount / cgroup):
            ids.update(_processes(directory))
    return frozenset(ids)


def exists(cgroup: str) -> bool:
    """Whether it is there in any hierarchy."""
    return any((hierarchy.mount / cgroup).exists() for hierarchy in hierarchies())


def remove(cgroup: str, *, seconds: float = 20.0) -> None:
    """Remove the subtree everywhere, the deepest first, and its parents if empty. Its processes must be gone."""
    for hierarchy in hierarchies():
        top = hierarchy.mount / cgroup
        wait_until(partial(_remove_subtree, top), seconds, f"the cgroup {top} removed")
        _remove_empty(reversed([hierarchy.mount / parent for parent in _parents(cgroup)]))


def _parents(cgroup: str) -> list[str]:
    names = cgroup.split("/")
    return ["/".join(names[:count]) for count in range(1, len(names))]


def _subtree(top: Path) -> Iterator[Path]:
    """``top`` and everything below, the deepest first; nothing when it does not exist."""
    for directory, _, _ in os.walk(top, topdown=False):
        yield Path(directory)


def _processes(directory: Path) -> Sequence[int]:
    try:
        return [int(word) for word in (directory / "cgroup.procs").read_text().split()]
    except OSError:  # removed meanwhile, or a threaded cgroup, whose processes its parent lists
        return []


def _remove_subtree(top: Path) -> bool:
    _remove_empty(_subtree(top))
    return not top.exists()


def _remove_empty(directories: Iterator[Path]) -> None:
    for directory in directories:
        try:
            directory.rmdir()
        except OSError:  # busy until its last process is reaped, or shared with another lab: asked again, or left
            continue
