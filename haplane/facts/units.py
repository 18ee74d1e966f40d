"""One systemd unit and the files it reads, in one command."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase

LOOK = """
import os, subprocess, sys, time
unit, *files = sys.argv[1:]
wanted = "--property=LoadState,ActiveState,UnitFileState,NeedDaemonReload,StateChangeTimestampMonotonic,MainPID"
shown = subprocess.run(["systemctl", "show", wanted, unit], stdout=subprocess.PIPE, check=True).stdout.decode()
values = dict(line.split("=", 1) for line in shown.splitlines())
since = time.time() - time.monotonic() + int(values["StateChangeTimestampMonotonic"]) / 1e6
program = "/proc/" + values.get("MainPID", "0") + "/exe"
replaced = os.path.islink(program) and os.readlink(program).endswith(" (deleted)")
newer = any(os.path.exists(file) and os.stat(file).st_ctime > since for file in files)
values["Outdated"] = "yes" if newer or replaced else "no"
for name, value in values.items():
    print(name + "=" + value)
"""


class UnitState(FactBase[dict[str, str]]):
    """``{"LoadState": ..., "ActiveState": ..., "UnitFileState": ..., "NeedDaemonReload": ..., "Outdated": ...}``.

    ``Outdated`` is ``yes`` when one of ``files`` changed after the service's last start, reload or stop, or the
    program it runs is no longer the one on the disk.
    """

    def command(self, unit: str, files: Sequence[str] = ()) -> StringCommand:
        words = [QuoteString(word) for word in (LOOK, unit if "." in unit else f"{unit}.service", *files)]
        return StringCommand("python3", "-I", "-c", *words)

    @staticmethod
    def default() -> dict[str, str]:
        return {}

    def process(self, output: list[str]) -> dict[str, str]:
        return dict(line.split("=", 1) for line in output if "=" in line)
