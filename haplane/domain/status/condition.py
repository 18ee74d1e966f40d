"""Hosts that wear out before they fail: disks, clocks, packet sizes, and services with an older configuration."""

from __future__ import annotations

from collections.abc import Sequence

from haplane.domain import host_paths
from haplane.domain.host_condition import FileSystem, Stopped, Usage
from haplane.domain.observed import HostReport, Observation
from haplane.domain.plan import are, few
from haplane.domain.preflight import executable
from haplane.domain.problem import UP, Ends, Problem, filling, on, problem
from haplane.domain.status.causes import continuing
from haplane.domain.status.model import Roster

FREE_SHARE, FREE_BYTES = 0.05, 2 << 30
"""Less than both is nearly full: 5 % of a large disk is room enough."""
FREE_INODES = 0.02
FREE_MEMORY_SHARE, FREE_MEMORY_BYTES = 0.03, 64 << 20
"""Less than both: a kubelet evicts pods at 100 MiB, and other hosts have none."""
MOST_USED = 0.9
TUNNEL, TUNNEL_BYTES = "flannel.1", 50
"""VXLAN's headers over IPv4."""
SLOW_WRITES = 5
"""In 5 minutes: one is a moment, several are a disk."""
LOADED = {
    "haproxy": host_paths.HAPROXY_CFG,
    "keepalived": host_paths.KEEPALIVED_CONF,
    "containerd": host_paths.CONTAINERD_CONFIG_TOML,
}
"""Unit -> the file that it reads when it is started or reloaded."""


def condition_problems(roster: Roster, observation: Observation) -> list[Problem]:
    """By host: disks, what could not be looked at, processes, the clock, packets, etcd's writes, configurations."""
    found: list[Problem] = []
    for name, report in sorted(observation.reports.items()):
        for one in report.condition.filesystems:
            found += _disk(name, one)
        found += [
            problem(f"{name}: {what} cannot be looked at", why=why, fix=on(name, "dmesg | tail"))
            for what, why in report.condition.unread.items()
        ]
        if name in {*roster.etcd, *roster.masters, *roster.workers}:
            found += _no_exec(name, report)
        found += [
            *_stopped(name, report),
            *_time(name, report),
            *_limits(name, report),
            *_packets(name, report, roster),
            *_older(name, report, roster),
        ]
        if name in roster.etcd:
            found += _slow(name, report)
    return found


def clock_notes(observation: Observation) -> list[str]:
    """Clocks that nothing keeps right: they may agree by chance, or by their hypervisor's."""
    names = [name for name, report in sorted(observation.reports.items()) if report.condition.synchronised is False]
    if not names:
        return []
    return [f"the clocks of {few(names)} follow no time source: `timedatectl timesync-status` or `chronyc sources`"]


def name_server_notes(observation: Observation) -> list[str]:
    """Nodes none of whose name servers answers: in a network of its own that may be meant."""
    found = {
        name: seen.silent_servers
        for name, report in sorted(observation.reports.items())
        if (seen := report.surroundings).silent_servers and set(seen.name_servers) <= set(seen.silent_servers)
    }
    servers = few(list(dict.fromkeys(one for each in found.values() for one in each)))
    without = "CoreDNS pods there resolve no names outside of the cluster"
    return [f"no name server of {few(list(found))} responds ({servers}): {without}"] if found else []


def _disk(name: str, one: FileSystem) -> list[Problem]:
    if one.read_only and one.path != "/":
        what = f"{name}: the file system of {one.path} is mounted read-only"
        fix = on(name, "dmesg | grep -i remount") + " shows why; then mount it again or reboot"
        return [problem(what, fix=fix, ends=Ends.BY_ITS_FIX)]
    found = []
    if one.free < min(FREE_SHARE * one.size, FREE_BYTES):
        why = f"{one.free >> 20} of {one.size >> 20} MiB free"
        what = f"{name}: the file system of {one.path} is nearly full"
        found.append(problem(what, why=why, fix=filling(name, one.path), ends=Ends.BY_ITS_FIX))
    if one.inodes and one.inodes_free < FREE_INODES * one.inodes:
        what = f"{name}: the file system of {one.path} is nearly out of inodes"
        where = on(name, f"du -x --inodes --max-depth=3 {one.path} | sort -n | tail")
        why, fix = f"{one.inodes_free} of {one.inodes}", f"{where} shows what uses them"
        found.append(problem(what, why=why, fix=fix, ends=Ends.BY_ITS_FIX))
    return found


def _no_exec(name: str, report: HostReport) -> list[Problem]:
    why = "its file system is mounted noexec"
    return [
        problem(f"{name}: no program may run from {path}", why=why, fix=f"on {name}: {executable(path)}")
        for path in report.surroundings.no_exec
    ]


def _stopped(name: str, report: HostReport) -> list[Problem]:
    """One line for a program, and one for those that were frozen together."""
    together: dict[tuple[str, str], list[Stopped]] = {}
    for one in report.condition.stopped:
        together.setdefault((one.frozen, "" if one.frozen else one.program), []).append(one)
    return [_idle(name, those) for those in together.values()]


def _idle(name: str, those: Sequence[Stopped]) -> Problem:
    programs, processes = sorted({one.program for one in those}), [str(one.process) for one in those]
    what = f"{name}: {few(programs)} do{'es' if len(programs) == 1 else ''} nothing"
    fix = on(name, continuing(those))
    if frozen := those[0].frozen:
        return problem(f"{what}: frozen by a control group", why=frozen, fix=fix)
    its = f"its process{'' if len(processes) == 1 else 'es'} {are(processes)} stopped"
    return problem(f"{what}: {its}", why="by SIGSTOP or a debugger", fix=fix)


def _time(name: str, report: HostReport) -> list[Problem]:
    stopped = report.condition.stopped_time_services
    if not stopped:
        return []
    why = "it is enabled but not running: certificates, leases and etcd depend on this clock"
    return [
        problem(
            f"{name}: its time service {stopped[0]} is not running",
            why=why,
            fix=on(name, f"systemctl restart {stopped[0]}"),
            ends=Ends.BY_ITS_FIX,
        )
    ]


def _is_scarce(seen: Usage) -> bool:
    return len(seen) == 2 and seen[1] > 0 and seen[0] >= MOST_USED * seen[1]


def _limits(name: str, report: HostReport) -> list[Problem]:
    """What the kernel has no more of: programs that run go on, and new ones fail where nobody looks."""
    seen = report.condition
    found = []
    if _is_scarce(seen.connections):
        found.append(
            problem(
                f"{name}: its table of connections is nearly full: the kernel drops new ones",
                why=f"{seen.connections[0]} of {seen.connections[1]}",
                fix=f"{_raised(name, 'net.netfilter.nf_conntrack_max', max(2 * seen.connections[0], 131072))}; "
                "/proc/net/nf_conntrack lists them",
            )
        )
    if _is_scarce(seen.tasks):
        shown = on(name, "ps -eLo comm= | sort | uniq -c | sort -n | tail")
        what, why = f"{name}: it has nearly no room for more processes", f"{seen.tasks[0]} of {seen.tasks[1]} threads"
        found.append(problem(what, why=why, fix=f"{shown} lists them", ends=Ends.BY_ITS_FIX))
    if _is_scarce(seen.files):
        what, why = f"{name}: it can open nearly no more files", f"{seen.files[0]} of {seen.files[1]}"
        found.append(
            problem(what, why=why, fix=_raised(name, "fs.file-max", 2 * seen.files[1]), ends=Ends.BY_ITS_FIX)
        )
    if len(seen.memory) == 2 and seen.memory[0] < min(FREE_MEMORY_SHARE * seen.memory[1], FREE_MEMORY_BYTES):
        shown = on(name, "ps aux --sort=-rss | head")
        what = f"{name}: it has nearly no memory left: the kernel kills programs"
        why = f"{seen.memory[0] >> 20} of {seen.memory[1] >> 20} MiB"
        found.append(problem(what, why=why, fix=f"{shown} shows what uses it", ends=Ends.BY_ITS_FIX))
    if seen.watches:
        most = 8192 if seen.watches.endswith("instances") else 1048576
        what = f"{name}: its programs can watch no more files: kubelets do not start, following logs ends"
        why = f"{seen.watches} is used up"
        found.append(problem(what, why=why, fix=_raised(name, seen.watches, most), ends=Ends.BY_ITS_FIX))
    return found


def _raised(name: str, setting: str, value: int) -> str:
    return f"{on(name, f'sysctl -w {setting}={value}')}, and the same in a file of /etc/sysctl.d"


def _packets(name: str, report: HostReport, roster: Roster) -> list[Problem]:
    """Larger ones than the interface carries are lost, while small ones, pings among them, arrive."""
    seen = report.condition
    interface = report.interface_of(roster.addresses[name]) if name in roster.addresses else None
    carries = seen.mtus.get(interface or "")
    if not seen.pod_mtu or carries is None:
        return []
    tunnel = TUNNEL_BYTES if roster.pod_tunnel and TUNNEL in seen.mtus else 0
    if seen.pod_mtu <= min(carries - tunnel, seen.mtus[TUNNEL] if tunnel else carries):
        return []
    parts = [f"pods' packets have up to {seen.pod_mtu} bytes", f"{interface} carries {carries}"]
    parts += [f"the tunnel {TUNNEL} {seen.mtus[TUNNEL]} and adds {tunnel}"] if tunnel else []
    restore = on(name, f"ip link set dev {interface} mtu {seen.pod_mtu + tunnel}")
    return [
        problem(
            f"{name}: large packets of its pods are lost",
            why=", ".join(parts),
            fix=f"{restore}, or where the network carries no more, "
            "`kubectl --namespace=kube-flannel rollout restart daemonset flannel`",
            ends=Ends.BY_ITS_FIX,
        )
    ]


def _older(name: str, report: HostReport, roster: Roster) -> list[Problem]:
    found = []
    for unit, path in LOADED.items():
        state, file = report.units.get(unit), report.files.get(path)
        if unit not in roster.units.get(name, ()) or state is None or file is None:
            continue
        if state.active and state.since and file.changed_at > state.since:
            what = f"{name}: {unit} runs with an older configuration than {path}"
            found.append(problem(what, why="the file changed after it was last read", fix=UP))
    return found


def _slow(name: str, report: HostReport) -> list[Problem]:
    slow = report.condition.slow_writes
    if len(slow) < SLOW_WRITES:
        return []
    why = f"{len(slow)} writes to its log took over 1 s in the last 5 minutes, the slowest {max(slow):.1f} s"
    shown = on(name, "cat /proc/pressure/io") + " shows how long programs wait for it"
    what, fix = f"etcd member {name}: its disk is too slow", f"give etcd a disk of its own; {shown}"
    return [problem(what, why=why, fix=fix, ends=Ends.BY_ITS_FIX)]
