"""What about the hosts forbids going on, all of it at once and before anything is changed. Pure."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from haplane.domain.observed import HostReport
from haplane.errors import HaplaneError

GIBIBYTE = 1 << 30
MASTER_MEMORY_BYTES = int(1.7 * GIBIBYTE)  # kubeadm's own floor, cmd/kubeadm/app/constants: 1700 MB
DISK_FREE_BYTES = 4 * GIBIBYTE  # the bundle unpacked, its images twice, and room for etcd
CLOCK_TOLERANCE_SECONDS = 2.0
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
OLDEST = {"debian": (11,), "ubuntu": (22, 4)}
"""The systems that are known to be fit, and since when: older ones have a Python that cannot be asked."""

ETCD_PORTS = (2379, 2380)
KUBELET_PORT = 10250
AGENT_PYTHON = (3, 11)


@dataclass(frozen=True)
class Expectations:
    """One host's side of the inventory: ``ports`` it will listen on and the program that may already do so."""

    address: str
    is_node: bool
    is_balancer: bool
    tolerates_cgroups_v1: bool
    ports: Mapping[int, str]
    endpoint: str
    packages_are_local: bool
    takes_snapshots: bool = False


@dataclass(frozen=True)
class Window:
    """When the hosts were asked and when all had answered, in seconds since the epoch by the controller's clock."""

    asked_at: float
    answered_at: float


def problems(
    expected: Mapping[str, Expectations], reports: Mapping[str, HostReport], window: Window, architecture: str
) -> list[HaplaneError]:
    """Every problem of every host that answered."""
    found = [
        HaplaneError(f"{name}: {what}", why=why, next_step=cure)
        for name, report in reports.items()
        for what, why, cure in _of_host(expected[name], report, window, architecture)
    ]
    return found + _stranger_at_the_endpoint(expected, reports)


def doubts(reports: Mapping[str, HostReport]) -> list[tuple[str, str]]:
    """Host and what about it is unusual, though it forbids nothing."""
    return [
        (
            name,
            f"{report.machine.os_id or 'its system'} {report.machine.os_version} is untried; Debian and Ubuntu are",
        )
        for name, report in reports.items()
        if report.machine.os_id not in OLDEST
    ]


def _stranger_at_the_endpoint(
    expected: Mapping[str, Expectations], reports: Mapping[str, HostReport]
) -> list[HaplaneError]:
    """Somebody answers there, though every load balancer answered us and none of them holds the address."""
    balancers = {name for name, host in expected.items() if host.is_balancer}
    if not balancers <= reports.keys() or any(report.balancer.holds_endpoint for report in reports.values()):
        return []
    seen_by = sorted(name for name in balancers if reports[name].balancer.endpoint_answers)
    if not seen_by:
        return []
    endpoint = expected[seen_by[0]].endpoint
    return [
        HaplaneError(
            f"the endpoint {endpoint} is answered by a stranger",
            where=f"seen from {', '.join(seen_by)}",
            why="a machine that is not a load balancer of this inventory has that address",
            next_step="find out whose it is, or choose a free address",
        )
    ]


Problem = tuple[str, str, str]


def _of_host(expected: Expectations, report: HostReport, window: Window, architecture: str) -> Iterator[Problem]:
    yield from _access(report)
    for part, why in sorted(report.failed.items()):
        yield f"its {part} cannot be looked at", why, "look at it there, and run again: nothing is decided blindly"
    yield from _system(expected, report, architecture)
    yield from _cgroups(expected, report)
    yield from _sizes(expected, report)
    yield from _clock(report, window)
    yield from _network(expected, report)


def _access(report: HostReport) -> Iterator[Problem]:
    if report.machine.user_id != 0:
        yield (
            "commands do not run as root",
            f"they run as user id {report.machine.user_id}",
            'log in as root, or set "_sudo": True and add the sudoers line `USER ALL=(ALL) NOPASSWD: ALL`',
        )


def _system(expected: Expectations, report: HostReport, architecture: str) -> Iterator[Problem]:
    machine = report.machine
    if ARCHITECTURES.get(machine.architecture) != architecture:
        why = f"it is {machine.architecture}, the bundle is for {architecture}"
        yield "wrong architecture", why, "use a bundle of that architecture, or another machine"
    oldest = OLDEST.get(machine.os_id)
    if oldest is not None and _version(machine.os_version) < oldest:
        why = f"it is {machine.os_id} {machine.os_version}, the oldest fit one is {'.'.join(map(str, oldest))}"
        yield "its system is too old", why, "upgrade it, or use another machine"
    if machine.init != "systemd":
        yield "systemd does not run it", f"process 1 is {machine.init}", "use a machine that boots systemd"
    if machine.missing_commands:
        missing = " ".join(machine.missing_commands)
        yield f"{missing} not installed", "haplane works with them", f"install them: `apt-get install {missing}`"
    if expected.takes_snapshots and _version(machine.python) < AGENT_PYTHON:
        why = f"it has Python {machine.python}, and the snapshot agent needs 3.{AGENT_PYTHON[1]}"
        yield "its Python is too old", why, "use Debian 12, Ubuntu 24.04 or newer for etcd members"
    lacking = [name for name in ("haproxy", "keepalived") if expected.is_balancer and name not in report.units]
    if lacking and not (machine.apt or expected.packages_are_local):
        why = "packages are installed with apt-get, which this system does not have"
        yield f"{', '.join(lacking)} not installed", why, f"install {' and '.join(lacking)} and run again"


def _version(text: str) -> tuple[int, ...]:
    """22.04 as (22, 4). A system without a version, as Debian's next release, is new."""
    numbers = re.findall(r"\d{1,9}", text)
    return tuple(map(int, numbers)) if numbers else (sys.maxsize,)


def _cgroups(expected: Expectations, report: HostReport) -> Iterator[Problem]:
    if expected.is_node and report.machine.cgroups == "v1" and not expected.tolerates_cgroups_v1:
        why = "a kubelet of 1.35 or newer does not start on cgroup v1"
        yield "it uses cgroup v1", why, "boot it with systemd.unified_cgroup_hierarchy=1, or use a newer system"


def _sizes(expected: Expectations, report: HostReport) -> Iterator[Problem]:
    machine = report.machine
    if expected.is_node and machine.memory_bytes < MASTER_MEMORY_BYTES:
        yield "too little memory", f"{machine.memory_bytes / GIBIBYTE:.1f} GiB", "give it at least 2 GiB"
    if expected.is_node and machine.swap_bytes:
        yield "swap is on", "a kubelet does not start with swap", "`swapoff -a`, and remove it from /etc/fstab"
    if expected.is_node and machine.disk_free_bytes < DISK_FREE_BYTES and report.fresh:
        free = f"{machine.disk_free_bytes / GIBIBYTE:.1f} GiB free in /var/lib"
        yield "the disk is too full", free, f"free at least {DISK_FREE_BYTES // GIBIBYTE} GiB"


def _clock(report: HostReport, window: Window) -> Iterator[Problem]:
    behind = window.asked_at - report.started_at
    ahead = report.finished_at - window.answered_at
    if max(behind, ahead) > CLOCK_TOLERANCE_SECONDS:
        direction = "behind" if behind > ahead else "ahead of"
        why = f"at least {max(behind, ahead):.0f} s {direction} this machine's"
        yield "its clock is off", why, "start chrony (or another time service) and wait until it agrees"


def _network(expected: Expectations, report: HostReport) -> Iterator[Problem]:
    if report.interface_of(expected.address) is None:
        others = ", ".join(address for found in report.addresses.values() for address in found)
        yield f"no interface has {expected.address}", f"it has {others}", "mend its `address` in the inventory"
    for port, program in expected.ports.items():
        listener = report.listening.get(port)
        if listener is not None and program not in ("", listener):
            yield f"port {port} is taken", f"{listener or 'something'} listens on it", f"stop it; {program} needs it"


def ports_of(roles: Sequence[str], *, apiserver_port: int, endpoint_port: int) -> dict[int, str]:
    """TCP port -> the program that is to listen on it, for a host with these roles."""
    ports: dict[int, str] = {}
    if "master" in roles:
        ports |= {apiserver_port: "kube-apiserver", 10257: "kube-controller", 10259: "kube-scheduler"}
    if "etcd" in roles:
        ports |= dict.fromkeys(ETCD_PORTS, "etcd")
    elif "master" in roles:
        ports |= {ETCD_PORTS[0]: "haproxy"}  # the way to etcd on other machines
    if "master" in roles or "worker" in roles:
        ports |= {KUBELET_PORT: "kubelet"}
    if "load-balancer" in roles:
        ports |= {endpoint_port: "haproxy"}
    return ports
