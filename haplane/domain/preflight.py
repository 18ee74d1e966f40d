"""What about the hosts forbids going on, all of it at once and before anything is changed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from haplane.domain import host_paths
from haplane.domain.clocks import HERE, Window, clock_offset, is_the_controllers, offset_in_words
from haplane.domain.observed import HostReport, Machine
from haplane.domain.platform import Platform, Platforms, architecture, version
from haplane.domain.problem import word
from haplane.errors import HaplaneError

GIBIBYTE = 1 << 30
MASTER_MEMORY_BYTES = int(1.7 * GIBIBYTE)  # kubeadm's own floor, cmd/kubeadm/app/constants: 1700 MB
DISK_FREE_BYTES = 4 * GIBIBYTE  # the bundle unpacked, its images twice, and room for etcd
DISK_FREE_SHARE = 0.15  # a kubelet accepts no pods below it, by its default evictionHard: imagefs.available<15%
CGROUP_V1_GONE = (1, 35)
"""Since when a kubelet does not start on cgroup v1 unless it is told to (failCgroupV1)."""

BUNDLED = ("etcdctl", "ctr")
"""Programs that probes run and haplane brings; the others are the distribution's."""
ASKED_WITH = {"etcd": "etcdctl", "images": "ctr"}
"""Part of a report -> the one of them that it takes."""

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
    takes_snapshots: bool = False
    evicts_by_default: bool = True
    tolerates_swap: bool = False
    runs_etcd: bool = False


@dataclass(frozen=True)
class Needs:
    """What the bundle is made for, and the distributions that haplane works on."""

    architecture: str
    kubernetes_version: str
    platforms: Platforms


def problems(
    expected: Mapping[str, Expectations], reports: Mapping[str, HostReport], window: Window, run: Needs
) -> list[HaplaneError]:
    """Every problem of every host that answered."""
    found = [
        HaplaneError(f"{name}: {what}", why=why, next_step=fix)
        for name, report in reports.items()
        for what, why, fix in _of_host(expected[name], report, window, run, reports)
    ]
    return found + _others_at_the_endpoint(expected, reports, run)


def _others_at_the_endpoint(
    expected: Mapping[str, Expectations], reports: Mapping[str, HostReport], run: Needs
) -> list[HaplaneError]:
    """Somebody answers there, though every load balancer answered us and none of them holds the address."""
    balancers = {name for name, host in expected.items() if host.is_balancer}
    if not balancers <= reports.keys() or any(report.balancer.holds_endpoint for report in reports.values()):
        return []
    seen_by = sorted(name for name in balancers if reports[name].balancer.endpoint_answers)
    if not seen_by:
        return _unknown_endpoint(expected, {name: reports[name] for name in sorted(balancers)}, run)
    endpoint = expected[seen_by[0]].endpoint
    return [
        HaplaneError(
            f"the endpoint {endpoint} is already in use by a host that is not in this inventory",
            where=f"seen from {', '.join(seen_by)}",
            why="a host that is not a load balancer of this inventory has that address",
            next_step="find that host, or choose a free address",
        )
    ]


def _unknown_endpoint(
    expected: Mapping[str, Expectations], balancers: Mapping[str, HostReport], run: Needs
) -> list[HaplaneError]:
    """No load balancer could look whether somebody answers there, and that is no reason to take the address."""
    whys = {name: report.balancer.endpoint_unknown for name, report in balancers.items()}
    if not whys or not all(whys.values()):
        return []
    name, why = next(iter(whys.items()))
    report = balancers[name]
    return [
        HaplaneError(
            f"whether the endpoint {expected[name].endpoint} is free could not be tested",
            where=f"tested from {', '.join(whys)}",
            why=why,
            next_step=way_out(report.balancer.endpoint_lacks, run.platforms.of(report.machine.os_id)),
        )
    ]


Problem = tuple[str, str, str]


def _of_host(
    expected: Expectations, report: HostReport, window: Window, run: Needs, reports: Mapping[str, HostReport]
) -> Iterator[Problem]:
    yield from _access(report)
    for part, why in sorted(report.failed.items()):
        if is_pushed_again(part, report, reports):
            continue
        fix = way_out(report.lacks.get(part), run.platforms.of(report.machine.os_id))
        yield f"its {part} cannot be inspected", why, fix
    for path, component in report.components.conflicts.items():
        why = "the kubelet runs every file in that directory, and one of the two"
        yield f"{path} defines another {component}", why, f"move it away: `mv {word(path)} /root/`"
    yield from _system(expected, report, run)
    yield from _cgroups(expected, report, run)
    yield from _no_exec(expected, report)
    yield from _sizes(expected, report)
    yield from _clock(report, window, reports)
    yield from _network(expected, report)


def is_pushed_again(part: str, report: HostReport, reports: Mapping[str, HostReport]) -> bool:
    """Whether a part is unknown because a program of the bundle is gone, so that `up` can go on and bring it.

    One that is there is missing from PATH alone. Without etcdctl a host's member is unknown: never on all hosts,
    which would look as if none had ever had one.
    """
    program = ASKED_WITH.get(part)
    if program is None or report.lacks.get(part) != program or not report.bundle:
        return False
    if f"{host_paths.BINARIES}/{program}" in report.bundle:
        return False
    return program != "etcdctl" or any(one.etcd.bootstrapped for one in reports.values())


def way_out(program: str | None, platform: Platform | None) -> str:
    """What to do where a part of a host could not be looked at: nothing is decided blindly.

    ``program``: the one that it takes and that is not installed, if that is why.
    """
    if not program:
        return "fix it on that host and run again: haplane does not plan without it"
    if program in BUNDLED:
        return f"copy {host_paths.BINARIES}/{program} there from another host, and run again"
    return _how_to_install([program], platform)


def _access(report: HostReport) -> Iterator[Problem]:
    if report.machine.user_id != 0:
        yield (
            "commands do not run as root",
            f"they run as user id {report.machine.user_id}",
            'log in as root, or set "_sudo": True and add this line to sudoers: `USER ALL=(ALL) NOPASSWD: ALL`',
        )


def _system(expected: Expectations, report: HostReport, run: Needs) -> Iterator[Problem]:
    machine = report.machine
    if architecture(machine.architecture) != run.architecture:
        why = f"it is {machine.architecture}, the bundle is for {run.architecture}"
        yield "wrong architecture", why, "use a bundle for that architecture, or another host"
    platform = run.platforms.of(machine.os_id)
    if platform is None:
        system = f"{machine.os_id} {machine.os_version}".strip() or "unknown: /etc/os-release names none"
        yield "its operating system is not supported", f"it is {system}", f"use {run.platforms.supported}"
    elif version(machine.os_version) < version(platform.releases[machine.os_id].oldest):
        why = f"it is {machine.os_id} {machine.os_version}, and haplane needs {run.platforms.supported}"
        yield "its operating system is too old", why, "upgrade it, or use another host"
    if machine.init != "systemd":
        yield "it was not booted with systemd", f"process 1 is {machine.init}", "use a host that boots systemd"
    if machine.missing_commands:
        missing = " ".join(machine.missing_commands)
        yield (
            f"{missing} not installed",
            "required by haplane on every host",
            _how_to_install(machine.missing_commands, platform),
        )
    if expected.takes_snapshots and platform and version(machine.python) < AGENT_PYTHON:
        why = f"it has Python {machine.python}, and the snapshot agent needs 3.{AGENT_PYTHON[1]}"
        yield "its Python is too old", why, f"use {platform.agent_releases}, or newer, for etcd members"


def _how_to_install(commands: Sequence[str], platform: Platform | None) -> str:
    if platform is None:
        return f"install {' '.join(commands)}"
    them = "it" if len(commands) == 1 else "them"
    return f"install {them}: `{platform.install_command([platform.package_of(name) for name in commands])}`"


def _cgroups(expected: Expectations, report: HostReport, run: Needs) -> Iterator[Problem]:
    refuses = version(run.kubernetes_version) >= CGROUP_V1_GONE
    if expected.is_node and report.machine.cgroups == "v1" and refuses and not expected.tolerates_cgroups_v1:
        why = f"a kubelet of {run.kubernetes_version} does not start on cgroup v1"
        yield "it uses cgroup v1", why, "boot it with systemd.unified_cgroup_hierarchy=1, or use a newer system"


def _no_exec(expected: Expectations, report: HostReport) -> Iterator[Problem]:
    """A load balancer alone runs nothing that haplane brings."""
    for path in report.surroundings.no_exec if expected.is_node or expected.runs_etcd else ():
        yield f"no program may run from {path}", "its file system is mounted noexec", executable(path)


def executable(path: str) -> str:
    """What has programs run from there again."""
    return f"`mount -o remount,exec $(findmnt -no TARGET -T {path})`, and take noexec out of /etc/fstab"


def _sizes(expected: Expectations, report: HostReport) -> Iterator[Problem]:
    machine = report.machine
    if expected.is_node and machine.memory_bytes < MASTER_MEMORY_BYTES:
        yield "too little memory", f"{machine.memory_bytes / GIBIBYTE:.1f} GiB", "give it at least 2 GiB"
    if expected.is_node and machine.swap_bytes and not expected.tolerates_swap:
        yield (
            "swap is on",
            "a kubelet does not start while swap is on",
            "`swapoff -a`, and remove it from /etc/fstab; or allow it for kubelets: "
            'cluster["tuning"]["kubelet"] = {"failSwapOn": False}',
        )
    if expected.is_node and machine.disk_free_bytes < DISK_FREE_BYTES and report.fresh:
        free = f"{machine.disk_free_bytes / GIBIBYTE:.1f} GiB free in {machine.disk}"
        yield "the disk is too full", free, f"free at least {DISK_FREE_BYTES // GIBIBYTE} GiB"
    elif expected.is_node and report.fresh and expected.evicts_by_default:
        yield from _share_of_disk(machine)


def _share_of_disk(machine: Machine) -> Iterator[Problem]:
    """What the bundle takes counts as gone: a kubelet that evicts from the start runs nothing."""
    left = machine.disk_free_bytes - DISK_FREE_BYTES
    if left < machine.disk_bytes * DISK_FREE_SHARE:
        wanted = machine.disk_bytes * DISK_FREE_SHARE + DISK_FREE_BYTES
        why = f"once installed {max(left, 0) / machine.disk_bytes:.0%} of {machine.disk} would be free"
        why += f", and a kubelet accepts no pods below {DISK_FREE_SHARE:.0%}"
        more = (wanted - machine.disk_free_bytes) / GIBIBYTE
        yield "the disk is too full", why, f"free {more:.1f} GiB more"


def _clock(report: HostReport, window: Window, reports: Mapping[str, HostReport]) -> Iterator[Problem]:
    if offset := clock_offset(report, window):
        why = offset_in_words(offset)
        if is_the_controllers({name: clock_offset(one, window) for name, one in reports.items()}):
            yield "its clock and the controller's differ", f"{why}, as all hosts' are", HERE
            return
        yield "its clock is off", why, "start chrony (or another time service) and wait until it agrees"


def _network(expected: Expectations, report: HostReport) -> Iterator[Problem]:
    if report.is_without(expected.address):
        others = ", ".join(address for found in report.addresses.values() for address in found)
        yield (
            f"no interface has {expected.address}",
            f"it has {others}",
            "fix its `address`, or its `ssh_hostname`, in the inventory",
        )
    for port, program in expected.ports.items():
        listener = report.listening.get(port)
        if listener is not None and program not in ("", listener):
            yield (
                f"port {port} is taken",
                f"{listener or 'something'} listens on it",
                f"stop that program; {program} needs the port",
            )


def ports_of(roles: Sequence[str], *, apiserver_port: int, endpoint_port: int) -> dict[int, str]:
    """TCP port -> the program that is to listen on it, for a host with these roles."""
    ports: dict[int, str] = {}
    if "master" in roles:
        ports |= {apiserver_port: "kube-apiserver", 10257: "kube-controller", 10259: "kube-scheduler"}
    if "etcd" in roles:
        ports |= dict.fromkeys(ETCD_PORTS, "etcd")
    elif "master" in roles:
        ports |= {ETCD_PORTS[0]: "haproxy"}  # the way to etcd on other hosts
    if "master" in roles or "worker" in roles:
        ports |= {KUBELET_PORT: "kubelet"}
    if "load-balancer" in roles:
        ports |= {endpoint_port: "haproxy"}
    return ports
