"""The host itself: its system, files and images."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import stat
from typing import Any

from haplane.facts.on_host.probe import digest, owner, read, run, run_if_installed

STAMPS = "/var/lib/haplane/stamps.json"
MADE = "/var/lib/haplane/made.json"
FILLED = ("/var/lib", "/var/lib/containerd", "/var/lib/haplane")
"""Where binaries, archives and images go: each may be a disk of its own."""
PROGRAMS = "/usr/local/bin"


def machine() -> dict[str, Any]:
    """System, memory and disk; sizes in bytes."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', read("/etc/os-release") or "", re.M))
    memory = dict(re.findall(r"^(\w+):\s+(\d+) kB", read("/proc/meminfo") or "", re.M))
    tightest, disk = min(
        ((path, shutil.disk_usage(path)) for path in FILLED if os.path.isdir(path)), key=lambda one: one[1].free
    )
    cgroups = "v2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "v1"
    return {
        "os_id": release.get("ID", ""),
        "os_version": release.get("VERSION_ID", ""),
        "architecture": platform.machine(),
        "init": (read("/proc/1/comm") or "").strip(),
        "user_id": os.geteuid(),
        "memory_bytes": int(memory.get("MemTotal", 0)) * 1024,
        "swap_bytes": int(memory.get("SwapTotal", 0)) * 1024,
        "disk_free_bytes": disk.free,
        "disk_bytes": disk.total,
        "disk": tightest,
        "programs_free_bytes": free_apart(PROGRAMS, FILLED[-1] if os.path.isdir(FILLED[-1]) else FILLED[0]),
        "cgroups": cgroups,
        "missing_commands": [name for name in ("zstd", "systemctl", "tar", "ip") if not shutil.which(name)],
        "python": platform.python_version(),
    }


def free_apart(path: str, other: str) -> int | None:
    """On the file system of ``path``, unless ``other`` is on the same."""
    if not os.path.isdir(path) or os.stat(path).st_dev == os.stat(other).st_dev:
        return None
    return shutil.disk_usage(path).free


def files(paths: list[str]) -> dict[str, dict[str, Any]]:
    """Path -> sha256, mode, owner, time of its last change; absent paths are left out.

    Raises OSError for one that is there and cannot be read: a disk that fails must not look like a host that has lost
    what made it a node.
    """
    found = {}
    for path in paths:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            status = os.stat(path)
            if stat.S_ISREG(status.st_mode):
                found[path] = {
                    "sha256": digest(path),
                    "mode": status.st_mode & 0o7777,
                    "user_id": status.st_uid,
                    "owner": owner(status.st_uid),
                    "changed_at": status.st_ctime,  # a rename sets it, whatever the time of the content
                }
    return found


def bundle_files(paths: list[str]) -> dict[str, str]:
    """Path -> sha256 of what was pushed; a file that has changed since it was recorded is hashed again.

    A program that not everybody may run, or others than root may write, is left out: it is to be pushed again.
    """
    stamped = stamps()
    found = {}
    for path in paths:
        with contextlib.suppress(OSError):
            status = os.stat(path)
            if os.path.basename(os.path.dirname(path)) == "bin" and status.st_mode & 0o133 != 0o111:
                continue
            seen = [status.st_size, status.st_mtime_ns, status.st_ino]
            found[path] = stamped[path, *seen] if (path, *seen) in stamped else digest(path)
    return found


def stamps() -> dict[tuple[Any, ...], str]:
    """Path, size, time and inode -> sha256; a stamp that cannot be read is none, so that its file is hashed."""
    found = {}
    with contextlib.suppress(ValueError, AttributeError):
        for path, stamp in json.loads(read(STAMPS) or "{}").items():
            with contextlib.suppress(LookupError, TypeError):
                if re.fullmatch("[0-9a-f]{64}", stamp["sha256"]):
                    found[path, *stamp["seen"]] = stamp["sha256"]
    return found


def made() -> dict[str, str]:
    """Path -> sha256 of what kubeadm made here when haplane last had it made."""
    with contextlib.suppress(ValueError, AttributeError):
        noted = json.loads(read(MADE) or "{}").items()
        return {path: seen for path, seen in noted if isinstance(seen, str) and re.fullmatch("[0-9a-f]{64}", seen)}
    return {}


def images() -> list[str] | None:
    """References known to containerd, None when it does not run. Raises OSError when it is late, or ctr is gone."""
    ask = run if os.path.exists(f"{PROGRAMS}/containerd") else run_if_installed
    listed = ask("ctr", "--connect-timeout", "1s", "-n", "k8s.io", "images", "list", "-q")
    return listed.split() if listed is not None else None
