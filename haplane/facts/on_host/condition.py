"""What wears a host out: full or read-only disks, a stopped time service, frames too small for pods, slow writes."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import re
import socket
import struct
from typing import Any

from haplane.facts.on_host.probe import read, run
from haplane.facts.on_host.stopped import stopped_processes
from haplane.facts.on_host.surroundings import in_container
from haplane.facts.on_host.systemd import loaded_units

DIRECTORIES = (
    "/var/lib", "/var/log", "/etc", "/run", "/tmp",  # noqa: S108 - looked at, not written
    "/var/lib/etcd", "/var/lib/containerd", "/var/lib/kubelet", "/etc/kubernetes/manifests", "/",
)  # fmt: skip
"""All but the last, which may be an image, have to be writable."""
TIME_SERVICES = ("chrony", "chronyd", "ntp", "ntpd", "ntpsec", "openntpd", "systemd-timesyncd")
CONNTRACK = "/proc/sys/net/netfilter/nf_conntrack"
SUBNET = "/run/flannel/subnet.env"
"""Flannel writes it when it starts; its plugin reads it for each new pod."""
MOST_INTERFACES = 100
SIOCGIFMTU, IFREQ = 0x8921, "16si20x"
"""Of netdevice(7): a name, and a number in its place."""
ETCD_MEMBER = "/etc/etcd/bootstrapped"
SLOW_WRITE = '"msg":"slow fdatasync"'
"""In etcd's log, of a write to its own log that took over a second (server/storage/wal, warnSyncDuration)."""
SLOW_SINCE, SLOW_LINES = "-5min", 200
DURATION = re.compile(r"([0-9.]+)(ms|h|m|s)")
IN_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
STA_UNSYNC = 64
"""Of adjtimex(2)."""
IN_ATTRIB = 4
KERNEL = "/proc/sys/kernel"
STATUS_AT = 40
"""In its structure on 64-bit machines: behind ``modes``, and four numbers of eight bytes, each aligned."""


def condition() -> dict[str, Any]:
    """All of it, with what could not be looked at. Raises OSError when systemd does not answer."""
    subnet = re.search(r"^FLANNEL_MTU=(\d+)$", read(SUBNET) or "", re.M)
    found, unread = filesystems(DIRECTORIES)
    slow: list[float] = []
    if os.path.exists(ETCD_MEMBER):
        try:
            slow = slow_writes()
        except OSError as error:
            unread["etcd's journal"] = str(error)
    return {
        "filesystems": found,
        "unread": unread,
        "mtus": mtus(),
        "pod_mtu": int(subnet.group(1)) if subnet else 0,
        "stopped_time_services": stopped_time_services(),
        "synchronised": None if in_container() else is_synchronised(),
        "slow_writes": slow,
        "stopped": stopped_processes(),
        "connections": tracked_connections(),
        "tasks": tasks(),
        "files": open_files(),
        "watches": why_no_watch(),
        "memory": memory(),
    }


def memory() -> list[int]:
    """Bytes of memory that programs can still get, and of all that there is; nothing where that is not known."""
    text = read("/proc/meminfo") or ""
    found = [re.search(rf"^{name}: +(\d+) kB$", text, re.M) for name in ("MemAvailable", "MemTotal")]
    return [int(one.group(1)) << 10 for one in found if one] if all(found) else []


def tracked_connections() -> list[int]:
    """How many the packet filter remembers, and how many it may; nothing where it remembers none."""
    found = [read(f"{CONNTRACK}_{which}") for which in ("count", "max")]
    return [int(one) for one in found if one] if all(found) else []


def tasks() -> list[int]:
    """How many threads there are on this kernel, and how many there may be."""
    running = re.search(r" \d+/(\d+) ", read("/proc/loadavg") or "")
    limits = [int(text) for name in ("pid_max", "threads-max") if (text := (read(f"{KERNEL}/{name}") or "").strip())]
    return [int(running.group(1)), min(limits)] if running and limits else []


def open_files() -> list[int]:
    """How many are open on this kernel, and how many may be."""
    numbers = (read("/proc/sys/fs/file-nr") or "").split()
    return [int(numbers[0]), min(int(numbers[2]), 1 << 62)] if len(numbers) == 3 else []


def why_no_watch() -> str:
    """Which setting of the kernel keeps programs of root from watching another file; "" where they can.

    A kubelet does not start without, and `kubectl logs --follow` ends.
    """
    library = ctypes.CDLL(None, use_errno=True)
    watching = library.inotify_init1(os.O_CLOEXEC)
    if watching < 0:
        return "fs.inotify.max_user_instances" if ctypes.get_errno() == errno.EMFILE else ""
    try:
        refused = library.inotify_add_watch(watching, b"/", IN_ATTRIB) < 0
        return "fs.inotify.max_user_watches" if refused and ctypes.get_errno() == errno.ENOSPC else ""
    finally:
        os.close(watching)


def filesystems(directories: tuple[str, ...]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Each file system below these directories once, in bytes and inodes; and what cannot be looked at, and why."""
    found: dict[tuple[int, bool], dict[str, Any]] = {}
    unread = {}
    for path in directories:
        try:
            device, space = os.stat(path).st_dev, os.statvfs(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            unread[path] = str(error.strerror)
            continue
        read_only = bool(space.f_flag & os.ST_RDONLY)  # a mount's own: one file system may have several
        found.setdefault(
            (device, read_only),
            {
                "path": path,
                "size": space.f_blocks * space.f_frsize,
                "free": space.f_bavail * space.f_frsize,
                "inodes": space.f_files,
                "inodes_free": space.f_favail,
                "read_only": read_only,
            },
        )
    return list(found.values()), unread


def mtus() -> dict[str, int]:
    """Interface -> the largest packet it takes; those of single pods are left out.

    Asked of the kernel: /sys shows the interfaces of whoever mounted it, in a container those of its host.
    """
    found: dict[str, int] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            if len(found) < MOST_INTERFACES and not name.startswith("veth") and re.fullmatch(r"[\w@.:-]+", name):
                with contextlib.suppress(OSError):  # it has just gone
                    answer = fcntl.ioctl(asking, SIOCGIFMTU, struct.pack(IFREQ, name.encode(), 0))
                    found[name] = struct.unpack(IFREQ, answer)[1]
    return found


def stopped_time_services() -> list[str]:
    """Those that are enabled and do not run, where none does; one whose condition this host does not meet is none."""
    found = loaded_units(
        [f"{name}.service" for name in TIME_SERVICES],
        *("ActiveState", "UnitFileState", "ConditionResult", "ConditionTimestampMonotonic"),
    )
    if any(unit.get("ActiveState") in ("active", "activating") for unit in found.values()):
        return []
    return [
        name
        for name, unit in found.items()
        if unit.get("UnitFileState") == "enabled"
        and (unit.get("ConditionResult") == "yes" or unit.get("ConditionTimestampMonotonic", "0") == "0")
    ]


def is_synchronised() -> bool | None:
    """Whether the kernel's clock follows a time source, as a time service tells it; None where that is not known."""
    structure = ctypes.create_string_buffer(512)
    if ctypes.CDLL(None).adjtimex(structure) < 0:
        return None
    return not int.from_bytes(structure.raw[STATUS_AT : STATUS_AT + 4], "little") & STA_UNSYNC


def slow_writes() -> list[float]:
    """How many seconds writes to etcd's log took, of those in the last minutes that took over one."""
    limits = f"--since={SLOW_SINCE}", f"--lines={SLOW_LINES}"
    return took(run("journalctl", "--unit=etcd", *limits, "--output=cat", "--no-pager") or "")


def took(journal: str) -> list[float]:
    """The same, from etcd's log."""
    found = []
    for line in journal.splitlines():
        with contextlib.suppress(ValueError, AttributeError, TypeError, LookupError, RecursionError):
            if SLOW_WRITE in line:
                parts = DURATION.findall(json.loads(line)["took"])
                found.append(sum(float(number) * IN_SECONDS[unit] for number, unit in parts))
    return found
