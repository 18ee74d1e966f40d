"""``haplane verify``: run the suites of :mod:`haplane.checks` against a cluster and collect what they found.

pytest runs in a process of its own: it must not be patched by gevent, and it must be able to remove the pods it
started after this process was interrupted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

import haplane.checks
from haplane.config.load import load_inventory
from haplane.config.model import Inventory
from haplane.domain.progress import Progress
from haplane.errors import ExitCode, HaplaneError

REACH = "reach"  # the suite whose failures mean that a host is unreachable
CLEANUP_SECONDS = 90  # how long an interrupted run may take to remove its namespace
FINISHED = (0, 1)  # pytest's exit codes of a whole run: all passed, some failed


class Check(BaseModel):
    """One check's outcome on one host; ``host`` is empty where it concerns the cluster."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    group: str
    check: str
    host: str
    outcome: Literal["passed", "failed", "skipped"]
    message: str
    seconds: float


class Verification(BaseModel):
    """Everything that was checked."""

    model_config = ConfigDict(frozen=True)

    checks: tuple[Check, ...]

    @property
    def unreachable(self) -> tuple[str, ...]:
        """Hosts that did not answer."""
        return tuple(check.host for check in self.checks if check.group == REACH and check.outcome == "failed")

    @property
    def counts(self) -> Counter[str]:
        """How many checks ``passed``, ``failed``, were ``skipped``."""
        return Counter(check.outcome for check in self.checks)

    @property
    def exit_code(self) -> ExitCode:
        """3 when a host is unreachable, 6 when a check failed, else 0."""
        if self.unreachable:
            return ExitCode.UNREACHABLE
        return ExitCode.INCOMPLETE if self.counts["failed"] else ExitCode.DONE


def verify(path: Path, *, with_pods: bool, progress: Progress) -> Verification:
    """Check the cluster of the inventory at ``path``.

    Raises BadInput for a wrong inventory, HaplaneError when the suites themselves cannot be run.
    """
    inventory = load_inventory(path)
    progress("verify", f"asking {len(inventory.hosts)} hosts")
    return Verification(checks=tuple(_run(inventory, with_pods=with_pods, progress=progress)))


def _run(inventory: Inventory, *, with_pods: bool, progress: Progress) -> list[Check]:
    checks: list[Check] = []
    with (
        TemporaryFile("w+", encoding="utf-8") as complaints,
        subprocess.Popen(
            pytest_command(Path(inventory.path), with_pods=with_pods),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env=_environment(),
            start_new_session=True,  # Ctrl-C reaches it through us, once: while it cleans up nothing else does
        ) as child,
        _passing_on_interruption(child, progress),
    ):
        for event, check in _events(child.stdout or ()):
            if event == "started":
                progress("verify", f"checking {check.group}")
            else:
                checks.append(check)
        code = child.wait()
        complaints.seek(0)
        _refuse_half_a_run(code, complaints)
    return checks


def pytest_command(inventory: Path, *, with_pods: bool) -> list[str]:
    """The suites as installed, without configuration, caches or plugins of wherever the user stands."""
    suites = Path(haplane.checks.__file__).parent
    return [
        *(sys.executable, "-P", "-m", "pytest", str(suites)),
        *("-c", os.devnull, f"--rootdir={suites}", f"--confcutdir={suites}"),
        *("-p", "no:cacheprovider", "-p", "no:terminal", "-p", "haplane.checks.plugin", "--capture=no"),
        *("--assert=plain", "-W", "ignore", f"--inventory={inventory.absolute()}", "--json-lines"),
        *(["--with-pods"] if with_pods else []),
    ]


def _environment() -> dict[str, str]:
    """The user's, less what would steer pytest; bytecode is not written beside an installed package."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _events(lines: Iterable[str]) -> Generator[tuple[str, Check], None, None]:
    """What the plugin wrote; anything else on its stdout is not ours."""
    for line in lines:
        try:
            event = json.loads(line)
            yield str(event["event"]), Check.model_validate(event)
        except (ValueError, ValidationError, TypeError, KeyError):
            continue


@contextmanager
def _passing_on_interruption(child: subprocess.Popen[str], progress: Progress) -> Generator[None, None, None]:
    """Ctrl-C and SIGTERM end the suites, which remove what they made before we end too."""
    try:
        yield
    except KeyboardInterrupt:
        progress("verify", "interrupted: removing what was started")
        child.terminate()
        try:
            child.communicate(timeout=CLEANUP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            progress("verify", "its namespace could not be removed: kubectl delete namespace -l haplane.io/verify")
        raise


def _refuse_half_a_run(code: int, complaints: IO[str]) -> None:
    if code in FINISHED:
        return
    lines = [line for line in complaints.read().splitlines() if line.strip()]
    raise HaplaneError(
        "the checks could not be run to their end",
        where=f"pytest, exit code {code}",
        why="\n".join(lines[-15:]) or None,
        next_step="run again with --debug, and please report it",
    )
