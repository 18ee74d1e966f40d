"""Power of a host, whatever it is made with: its processes are those in its cgroup, and its cable goes first."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from haplane.errors import DeadlinePassed, HaplaneError
from haplane.lab import cgroups, network
from haplane.lab.plan import LabHost
from haplane.scripts import script
from haplane.streams import tail_of
from haplane.waiting import wait_until

LAUNCH_SECONDS = 30.0  # it detaches at once


def inside(cgroup: str) -> list[str]:
    """The words before a command that is to run in that cgroup of every hierarchy."""
    procs = " ".join(str(path) for path in cgroups.make(cgroup))
    return ["sh", "-c", script("lab/enter_cgroup", procs=procs), "enter"]


def launch(
    host: LabHost,
    command: Sequence[str],
    log: Path,
    *,
    environment: Mapping[str, str] = os.environ,
    directory: Path = Path("/"),
) -> None:
    """Run a command that detaches itself, with its output in ``log``. Raises HaplaneError with the log's tail."""
    with log.open("w") as console:
        try:
            launched = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=environment, cwd=directory,
                check=False, timeout=LAUNCH_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise DeadlinePassed(f"{host.name} did not start within {LAUNCH_SECONDS:.0f} s", where=str(log)) from None
    if launched.returncode != 0:
        raise HaplaneError(f"{host.name} could not be started in its cgroups", where=str(log), why=last_lines(log))


def cut(hosts: Sequence[LabHost]) -> None:
    """End hosts as if their power failed, all at the same moment: the cables go first, then every process."""
    network.unplug(hosts)
    for host in hosts:
        _kill(host)
    for host in hosts:
        clear(host)


def clear(host: LabHost) -> None:
    """Remove whatever is left of a host that is off or dying: processes, cgroups, namespaces, its cable."""
    wait_until(lambda: not _kill(host), 20, f"{host.name}: every process ended")
    if cgroups.exists(host.cgroup):
        cgroups.remove(host.cgroup)
    network.remove(host)


def is_on(host: LabHost) -> bool:
    """Whether anything runs in the host's cgroup: a host that boots has no init yet."""
    return bool(cgroups.members(host.cgroup))


def _kill(host: LabHost) -> bool:
    """Kill what runs in the host's cgroup; whether there was anything."""
    processes = cgroups.members(host.cgroup)
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return bool(processes)


def last_lines(log: Path, lines: int = 15) -> str:
    """The end of a console log."""
    if not log.exists():
        return "(no console log)"
    return "\n".join(tail_of(log).decode(errors="replace").splitlines()[-lines:])
