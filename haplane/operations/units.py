"""systemd services: running, enabled, and restarted when their files changed."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from haplane.facts.units import UnitState


@operation()
def down(unit: str) -> Generator[StringCommand, None, None]:
    """Have a service stopped, also after a reboot.

    + unit: its name without ``.service``
    """
    yield StringCommand("systemctl", "disable", "--quiet", "--now", QuoteString(f"{unit}.service"))


@operation()
def up(
    unit: str,
    *,
    files: Sequence[str] = (),
    changed: bool = False,
    reloads: bool = False,
    check: str | None = None,
    wait: bool = False,
) -> Generator[StringCommand, None, None]:
    """Have a service running now and after a reboot, with its files as they are now.

    + unit: its name; without a suffix it is a service
    + files: what it reads when it starts; one that is newer than its last start has to be taken up
    + changed: something else that it reads changed
    + reloads: it takes files up by a reload, which keeps its connections
    + check: a command that fails where its files are wrong; nothing is touched then
    + wait: until it says that it is ready, if it is of a type that does
    """
    state = host.get_fact(UnitState, unit=unit, files=list(files))
    name = QuoteString(unit if "." in unit else f"{unit}.service")
    active = state.get("ActiveState") == "active"
    enabled = state.get("UnitFileState") == "enabled"
    changed = changed or state.get("Outdated") == "yes"
    if active and enabled and not changed:
        host.noop(f"{unit} is up")
        return
    if check is not None:
        yield StringCommand(check)
    if state.get("LoadState") == "masked":
        runtime = ("--runtime",) if state.get("UnitFileState") == "masked-runtime" else ()
        yield StringCommand("systemctl", "unmask", "--quiet", *runtime, name)
    if changed or state.get("NeedDaemonReload") == "yes" or state.get("LoadState") != "loaded":
        yield StringCommand("systemctl", "daemon-reload")
    if not enabled:
        yield StringCommand("systemctl", "enable", "--quiet", name)
    if not active:
        yield StringCommand("systemctl", "reset-failed", name, "||", "true")
        yield StringCommand("systemctl", "start", *(() if wait else ("--no-block",)), name)
    elif changed:
        yield StringCommand("systemctl", "reload-or-restart" if reloads else "restart", name)
