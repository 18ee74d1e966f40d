"""One host's life: booted with systemd-nspawn, found by its cgroup, ended as by a power cut.

Its overlay is mounted in the mount namespace its processes live in, so that the mount dies with them: nothing that
kills a host, however rudely, leaves a mount on this machine.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from haplane.errors import HaplaneError
from haplane.lab import cgroups, network, paths
from haplane.lab.command import run
from haplane.lab.disk import REAL_DIRECTORIES, ensure_disk, layers
from haplane.lab.identity import ssh_command
from haplane.lab.plan import LabHost, Plan
from haplane.waiting import wait_until

ENTER = 'for procs in $1; do echo $$ > "$procs" || exit 1; done; shift; exec "$@"'
"""Become a command inside cgroups. Arguments: their cgroup.procs files, as one word; the command."""

POWER = """
mount -t overlay overlay -o "$2" "$3" || exit 1
cgroup=$1; shift 3
while "$@"; [ $? = 133 ]; do find /sys/fs/cgroup -path "*/$cgroup/*" -depth -type d -exec rmdir {} +; done
"""
"""Mount the disk and run the host, again when it reboots (nspawn ends with 133), what its old cgroups held removed.

Arguments: the host's inner cgroup, the mount's options and place, the command.
"""

NSPAWN_ENVIRONMENT = {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "yes", "SYSTEMD_NSPAWN_USE_CGNS": "yes"}
NSPAWN_STATE = Path("/run/systemd/nspawn")
DEVICES = (Path("/dev/kmsg"), Path("/dev/fuse"))


def boot(plan: Plan, host: LabHost) -> None:
    """Power a host on: its network, cgroups and disk, then its init. Returns at once; it must not be running."""
    clear(host)
    ensure_disk(plan, host)
    network.plug(plan, host)
    directory = paths.host_directory(plan.name, host.name)
    lower = ":".join(str(path) for path in layers(plan, host))
    options = f"lowerdir={lower},upperdir={directory / 'upper'},workdir={directory / 'work'}"
    # Two cgroups, because version 2 lets no process stay in a cgroup whose controllers it hands on.
    power, machine = f"{host.cgroup}/power", f"{host.cgroup}/machine"
    command = [*_inside(machine), *nspawn_command(host, directory)]
    detached = ["setsid", "--fork", "unshare", "--mount", "sh", "-c", POWER, "power", machine, options]
    launch = [*_inside(power), *detached, str(directory / "root"), *command]
    log = directory / "console.log"
    environment = os.environ | NSPAWN_ENVIRONMENT
    with log.open("w") as console:
        launched = subprocess.run(
            launch, stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=environment, cwd="/", check=False
        )
    if launched.returncode != 0:
        raise HaplaneError(f"{host.name}: entering its cgroups failed", where=str(log), why=_tail(log))


def _inside(cgroup: str) -> list[str]:
    """The words before a command that is to run in that cgroup of every hierarchy."""
    return ["sh", "-c", ENTER, "enter", " ".join(str(path) for path in cgroups.make(cgroup))]


def nspawn_command(host: LabHost, directory: Path) -> list[str]:
    """The words that boot a host whose disk is mounted on ``directory/root``."""
    binds = [f"--bind={device}" for device in DEVICES if device.exists()]
    binds += [f"--bind={directory / name}:{place}" for name, place in REAL_DIRECTORIES.items()]
    return [
        *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--console=pipe"),
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
        *("--capability=all", "--system-call-filter=@known"),
        f"--machine={host.machine}",
        f"--hostname={host.name}",
        f"--directory={directory / 'root'}",
        f"--network-namespace-path={network.NAMESPACES / host.namespace}",
        *binds,
    ]


def running(host: LabHost) -> bool:
    """Whether the host's init runs."""
    return init_process(host) is not None


def init_process(host: LabHost) -> int | None:
    """The id, on this machine, of the host's init."""
    return next((process for process in sorted(cgroups.members(host.cgroup)) if _is_init(process)), None)


def _is_init(process: int) -> bool:
    """Whether it is process 1 of a namespace directly below ours; a pod's process 1 is two levels below."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
    return namespace_ids(status)[1:] == ("1",)


def namespace_ids(status: str) -> tuple[str, ...]:
    """The process's id in each nested process namespace, from the text of /proc/PID/status (see proc(5))."""
    lines = [line.split() for line in status.splitlines() if line.startswith("NSpid:")]
    return tuple(lines[0][1:]) if lines else ()


def power_cut(hosts: Sequence[LabHost]) -> None:
    """End hosts as if their power failed, all at the same moment: the cables go first, then every process."""
    network.unplug(hosts)
    for host in hosts:
        _kill(host)
    for host in hosts:
        clear(host)


def clear(host: LabHost) -> None:
    """Remove whatever is left of a host that is off, or half dead: processes, cgroups, namespaces, its cable."""
    wait_until(lambda: not _kill(host), 20, f"{host.name}: every process ended")
    if cgroups.exists(host.cgroup):
        cgroups.remove(host.cgroup)
    network.remove(host)
    _remove_nspawn_state(host)


def _remove_nspawn_state(host: LabHost) -> None:
    """Remove what a systemd-nspawn that was killed leaves behind; its lock is named by the disk's inode."""
    mailbox = NSPAWN_STATE / "propagate" / host.machine
    if mailbox.is_dir():
        mailbox.rmdir()
    upper = paths.host_directory(host.lab, host.name) / "upper"
    if upper.exists():
        for lock in (NSPAWN_STATE / "locks").glob(f"inode-*:{upper.stat().st_ino}"):
            lock.unlink()


def _kill(host: LabHost) -> bool:
    """Kill what runs in the host's cgroup; whether there was anything."""
    processes = cgroups.members(host.cgroup)
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return bool(processes)


def wait_for_ssh(plan: Plan, host: LabHost, seconds: float) -> None:
    """Return when sshd answers and lets us in. Raises HaplaneError or DeadlinePassed with the console log's tail."""
    log = paths.host_directory(plan.name, host.name) / "console.log"

    def ready() -> bool:
        if not cgroups.members(host.cgroup):
            raise HaplaneError(f"{host.name} went off while booting", where=str(log), why=_tail(log))
        return answers_on_port_22(host) and lets_in(host)

    wait_until(ready, seconds, f"{host.name}: SSH lets us in", why=lambda: f"{log}:\n{_tail(log)}")


def answers_on_port_22(host: LabHost) -> bool:
    """Whether something listens there."""
    try:
        with socket.create_connection((str(host.address), 22), timeout=1):
            return True
    except OSError:
        return False


def lets_in(host: LabHost) -> bool:
    """Whether a command can be run there over SSH."""
    try:
        run(*ssh_command(host, "true"), timeout=5)
    except HaplaneError:
        return False
    return True


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no console log)"
