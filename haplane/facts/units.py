"""One systemd unit and the files it reads, in one command."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase

from haplane.host_programs import parts, program

LOOK = program(*parts("facts", "unit_state"))


class UnitState(FactBase[dict[str, str]]):
    """``{"LoadState": ..., "ActiveState": ..., "UnitFileState": ..., "NeedDaemonReload": ..., "Outdated": ...}``.

    ``Outdated`` is ``yes`` when a restart would run something else: on_host/unit_state.py.
    """

    def command(self, unit: str, files: Sequence[str] = ()) -> StringCommand:
        words = [QuoteString(word) for word in (LOOK, unit if "." in unit else f"{unit}.service", *files)]
        return StringCommand("python3", "-I", "-c", *words)

    @staticmethod
    def default() -> dict[str, str]:
        return {}

    def process(self, output: list[str]) -> dict[str, str]:
        return dict(line.split("=", 1) for line in output if "=" in line)
