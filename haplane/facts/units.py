"""One systemd service, in one command."""

from __future__ import annotations

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase


class UnitState(FactBase[dict[str, str]]):
    """``{"LoadState": ..., "ActiveState": ..., "UnitFileState": ..., "NeedDaemonReload": ...}`` of a service."""

    def command(self, unit: str) -> StringCommand:
        properties = "--property=LoadState,ActiveState,UnitFileState,NeedDaemonReload"
        return StringCommand("systemctl", "show", properties, QuoteString(f"{unit}.service"))

    @staticmethod
    def default() -> dict[str, str]:
        return {}

    def process(self, output: list[str]) -> dict[str, str]:
        return dict(line.split("=", 1) for line in output if "=" in line)
