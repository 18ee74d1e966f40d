"""What systemd reports of its units."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Sequence
from typing import Any

from haplane.facts.on_host.probe import run_if_installed

UNIT_PROPERTIES = (
    "ActiveState",
    "UnitFileState",
    "NeedDaemonReload",
    "StateChangeTimestampMonotonic",
    "MainPID",
    "ActiveEnterTimestampMonotonic",
    "DropInPaths",
    "ExecStart",
)
PROGRAM = re.compile(r"\{ path=(/\S+)")
"""In ExecStart as systemctl shows it."""
UNIT_SETTINGS = re.compile(r"^\s*(ExecStart|Environment|EnvironmentFile|RootDirectory|User)\s*=", re.M)
"""In a unit's file: what it runs, and how."""

TROUBLED = ("failed", "activating")
JOURNAL_LINES_OF_UNIT, MOST_WORDS = 60, 300
KLOG = re.compile(r"^[EF]\d{4} [\d:.]+ +\d+ [\w.-]+:\d+\] ")
ERROR = re.compile(
    r"^[EF]\d{4} |^(?!I\d{4} ).*(?:error|fatal|panic|failed|cannot|\bALERT\b|refused|not permitted)", re.I
)
"""Whatever a line of klog's that only informs may say."""
OF_SYSTEMD = re.compile(r"^\S+\.(service|timer): |^(Failed to start|Starting|Started|Stopped|Stopping|Reloading) ")


def loaded_units(names: Sequence[str], *properties: str) -> dict[str, dict[str, str]]:
    """Unit (without ".service") -> these properties of it, of those that are loaded or masked; none without systemd.

    Raises OSError when systemd does not answer: a host that is too busy is not one without units.
    """
    wanted = ",".join(("Id", "LoadState", *properties))
    shown = run_if_installed("systemctl", "show", f"--property={wanted}", *names)
    if shown is None and os.path.isdir("/run/systemd/system"):
        raise OSError("systemctl does not respond")
    found = {}
    for block in (shown or "").split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if fields.get("LoadState") in ("loaded", "masked"):
            found[fields.get("Id", "").removesuffix(".service")] = fields
    return found


def loaded_unit(name: str, *properties: str) -> dict[str, str]:
    """These properties of one unit; empty when it is not loaded. Raises OSError when systemd does not answer."""
    return next(iter(loaded_units([name], *properties).values()), {})


def units(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Unit -> its state, as :class:`haplane.domain.observed.Unit` has it; units that are not loaded are left out.

    Raises OSError when systemd does not answer.
    """
    booted_at = time.time() - time.monotonic()
    return {
        name: {
            "active": found.get("ActiveState") == "active",
            "enabled": found.get("UnitFileState") in ("enabled", "static", "enabled-runtime"),
            "needs_reload": found.get("NeedDaemonReload") == "yes",
            "since": booted_at + int(found.get("StateChangeTimestampMonotonic") or 0) / 1e6,
            "binary_replaced": is_replaced(found.get("MainPID", "0")),
            "missing_program": missing_program(found.get("ExecStart", "")),
            "starting": found.get("ActiveState") == "activating",
            "drop_ins": found.get("DropInPaths", "").split(),
            "masked": found["LoadState"] == "masked",
            "why": last_error(name) if name != "etcd" and found.get("ActiveState") in TROUBLED else "",
            "active_since": booted_at + int(found.get("ActiveEnterTimestampMonotonic") or 0) / 1e6,
        }
        for name, found in loaded_units(names, *UNIT_PROPERTIES).items()
    }


def last_error(unit: str) -> str:
    """What a unit that failed, or is started again and again, last complained of since the host's start."""
    journal = None
    with contextlib.suppress(OSError):
        journal = run_if_installed(
            "journalctl", f"--unit={unit}", "--boot", f"--lines={JOURNAL_LINES_OF_UNIT}", "--output=cat", "--no-pager"
        )
    errors = [line for line in (journal or "").splitlines() if ERROR.search(line) and not OF_SYSTEMD.match(line)]
    return KLOG.sub("", errors[-1]).strip()[:MOST_WORDS] if errors else ""


def missing_program(start: str) -> str:
    """The path of the first program of an ExecStart that is not there, or is nobody's to run; "" where all are."""
    return next((path for path in PROGRAM.findall(start) if not is_executable(path)), "")


def is_executable(path: str) -> bool:
    """By its mode: what is mounted noexec is a matter of its own."""
    with contextlib.suppress(OSError):
        return bool(os.stat(path).st_mode & 0o111)
    return False


def is_replaced(process: str) -> bool:
    """Whether the file that a process was started from is no longer the one at its path."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{process}/exe").endswith(" (deleted)")
    return False
