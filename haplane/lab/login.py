"""Whether a lab host accepts SSH logins."""

from __future__ import annotations

import socket
from collections.abc import Callable

from haplane.errors import HaplaneError
from haplane.lab import paths
from haplane.lab.command import run
from haplane.lab.identity import ssh_command
from haplane.lab.machine_kind import Patience
from haplane.lab.plan import LabHost, Plan
from haplane.lab.power import last_lines
from haplane.waiting import wait_until


def wait_for_ssh(plan: Plan, host: LabHost, patience: Patience, on: Callable[[], bool]) -> None:
    """Return when sshd accepts our login. Raises HaplaneError or DeadlinePassed with the console log's tail.

    ``on`` says whether the host still runs.
    """
    log = paths.console_log(plan.name, host.name)

    def ready() -> bool:
        if not on():
            raise HaplaneError(f"{host.name} powered off while booting", where=str(log), why=last_lines(log))
        return answers_on_port_22(host) and accepts_login(host, patience.login_seconds)

    wait_until(
        ready, patience.boot_seconds, f"{host.name} accepts SSH logins", why=lambda: f"{log}:\n{last_lines(log)}"
    )


def answers_on_port_22(host: LabHost) -> bool:
    """Whether something listens there."""
    try:
        with socket.create_connection((str(host.address), 22), timeout=1):
            return True
    except OSError:
        return False


def accepts_login(host: LabHost, seconds: float) -> bool:
    """Whether a command can be run there over SSH within that time."""
    try:
        run(*ssh_command(host, "true", connect_seconds=int(seconds)), timeout=seconds)
    except HaplaneError:
        return False
    return True
