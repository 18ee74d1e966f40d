"""Machines of their own do not take each other's CPU: what is done over SSH on lab hosts is held to a part of one.

Five hosts that look at themselves at once need 2.4 seconds of CPU. A machine of two CPUs has then none left for those
hosts' API servers: answers took up to a second, whatever was restarted meanwhile, and `haplane status` alone did it.
"""

from contextlib import contextmanager, suppress
from pathlib import Path

from haplane.lab import cgroups
from haplane.lab.plan import plan
from haplane.waiting import wait_until

SHARE = 0.3
PERIOD_MICROSECONDS = 100_000


@contextmanager
def sessions_held_back(inventory):
    """All that comes out of each host's sshd gets at most SHARE of a CPU.

    With cgroups of version 2 nothing is held back: a host's own systemd says what is in them.
    """
    mounts = [one.mount for one in cgroups.hierarchies() if one.kind == "cgroup" and "cpu" in one.options]
    names = {host.name for host in inventory.everyone}
    hosts = [host for host in plan(inventory).hosts if host.name in names]
    machines = [mount / host.cgroup / "machine" for mount in mounts for host in hosts]
    try:
        for machine in machines:
            hold(machine)
        yield
    finally:
        for machine in machines:
            release(machine)


def hold(machine):
    sessions = machine / "sessions"
    sessions.mkdir(exist_ok=True)
    (sessions / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
    (sessions / "cpu.cfs_quota_us").write_text(str(int(SHARE * PERIOD_MICROSECONDS)))
    found = [process for process in processes(machine) if is_of_ssh(process)]
    assert found, f"no sshd in {machine}"
    for process in found:
        move(process, sessions)


def release(machine):
    sessions = machine / "sessions"

    def removed():
        for process in processes(sessions):
            move(process, machine)
        with suppress(OSError):  # what has just been started in it
            sessions.rmdir()
        return not sessions.exists()

    if sessions.exists():
        wait_until(removed, 10, f"{sessions} removed")


def processes(cgroup):
    return (cgroup / "cgroup.procs").read_text().split()


def is_of_ssh(process):
    with suppress(OSError):
        return "/ssh.service" in Path(f"/proc/{process}/cgroup").read_text()
    return False


def move(process, cgroup):
    with suppress(OSError):  # it has ended
        (cgroup / "cgroup.procs").write_text(process)
