"""systemd services: running, enabled, and restarted when their files changed."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from haplane.facts.units import UnitState


@operation()
def up(unit: str, *, changed: bool = False, reloads: bool = False) -> Generator[StringCommand, None, None]:
    """Have a service running now and after a reboot.

    + unit: its name without ``.service``
    + changed: its files changed, so that one that runs has to take them up
    + reloads: it takes them up by a reload, which keeps its connections
    """
    state = host.get_fact(UnitState, unit=unit)
    name = QuoteString(f"{unit}.service")
    active = state.get("ActiveState") == "active"
    enabled = state.get("UnitFileState") == "enabled"
    if active and enabled and not changed:
        host.noop(f"{unit} is up")
        return
    if changed or state.get("NeedDaemonReload") == "yes" or state.get("LoadState") != "loaded":
        yield StringCommand("systemctl", "daemon-reload")
    if not enabled:
        yield StringCommand("systemctl", "enable", "--quiet", name)
    if not active:
        yield StringCommand("systemctl", "reset-failed", name, "||", "true")
        yield StringCommand("systemctl", "start", "--no-block", name)
    elif changed:
        yield StringCommand("systemctl", "reload-or-restart" if reloads else "restart", name)
