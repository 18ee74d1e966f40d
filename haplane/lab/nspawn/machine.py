"""One host: booted with systemd-nspawn, found by its cgroup, ended as by a power cut.

Its overlay is mounted in the mount namespace its processes live in, so that the mount dies with them: nothing that
kills a host, however rudely, leaves a mount on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from haplane.domain.progress import Progress
from haplane.errors import Refused
from haplane.lab import cgroups, debian, network, paths
from haplane.lab.disk import PARTS
from haplane.lab.machine_kind import Patience
from haplane.lab.nspawn.disk import RECIPE, ensure_disk, layers, wipe_disk
from haplane.lab.plan import LabHost, Plan
from haplane.lab.power import inside, launch
from haplane.scripts import script

NSPAWN_ENVIRONMENT = {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "yes", "SYSTEMD_NSPAWN_USE_CGNS": "yes"}
NSPAWN_STATE = Path("/run/systemd/nspawn")
DEVICES = (Path("/dev/kmsg"), Path("/dev/fuse"))
INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_NEEDED = 1024  # five masters and two load balancers use all of the usual 128


class Nspawn:
    """A :class:`haplane.lab.machine_kind.MachineKind`."""

    tools: Mapping[str, str] = {"systemd-nspawn": "systemd-container"}

    def prepare(self, plan: Plan, progress: Progress) -> None:
        debian.ensure_image(RECIPE, progress)
        _allow_inotify(progress)

    def patience(self, plan: Plan) -> Patience:
        return Patience(boot_seconds=60.0, login_seconds=5.0)

    def boot(self, plan: Plan, host: LabHost) -> None:
        """Its network, cgroups and disk, then its init. Returns at once."""
        ensure_disk(plan, host)
        network.plug(plan, host)
        directory = paths.host_directory(plan.name, host.name)
        lower = ":".join(str(path) for path in layers(plan, host))
        options = f"lowerdir={lower},upperdir={directory / 'upper'},workdir={directory / 'work'}"
        # Two cgroups, because version 2 lets no process stay in a cgroup whose controllers it hands on.
        power, machine = f"{host.cgroup}/power", f"{host.cgroup}/machine"
        command = [*inside(machine), *nspawn_command(host, directory)]
        run_host = script("lab/run_host", command, options=options, root=str(directory / "root"), cgroup=machine)
        words = [*inside(power), "setsid", "--fork", "unshare", "--mount", "sh", "-c", run_host]
        launch(host, words, paths.console_log(plan.name, host.name), environment=os.environ | NSPAWN_ENVIRONMENT)

    def process(self, host: LabHost) -> int | None:
        """The id, on this machine, of the host's init."""
        return next((process for process in sorted(cgroups.members(host.cgroup)) if _is_init(process)), None)

    def clear(self, host: LabHost) -> None:
        """Remove what a systemd-nspawn that was killed leaves behind; its lock is named by the disk's inode."""
        mailbox = NSPAWN_STATE / "propagate" / host.machine
        if mailbox.is_dir():
            mailbox.rmdir()
        upper = paths.host_directory(host.lab, host.name) / "upper"
        if upper.exists():
            for lock in (NSPAWN_STATE / "locks").glob(f"inode-*:{upper.stat().st_ino}"):
                lock.unlink()

    def set_carrier(self, host: LabHost, *, on: bool) -> None:
        """Nothing: both ends of a veth lose their carrier together."""

    def set_clock_ahead(self, host: LabHost, ahead: timedelta) -> None:
        raise Refused(
            f"{host.name} has no clock of its own",
            why="it is a container: its clock is this machine's",
            next_step='make the lab of virtual machines: cluster["lab"]["machines"] = "qemu"',
        )

    def wipe(self, plan: Plan, host: LabHost, part: str | None) -> None:
        wipe_disk(plan, host, part)


def nspawn_command(host: LabHost, directory: Path) -> list[str]:
    """The words that boot a host whose disk is mounted on ``directory/root``."""
    binds = [f"--bind={device}" for device in DEVICES if device.exists()]
    binds += [f"--bind={directory / name}:{place}" for name, place in PARTS.items()]
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


def _allow_inotify(progress: Progress) -> None:
    allowed = int(INOTIFY_INSTANCES.read_text())
    if allowed < INOTIFY_NEEDED:
        INOTIFY_INSTANCES.write_text(str(INOTIFY_NEEDED))
        progress("this machine", f"fs.inotify.max_user_instances raised from {allowed} to {INOTIFY_NEEDED}")
