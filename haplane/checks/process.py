"""One suite of checks in a pytest process of its own.

Of its own, because pytest must not be patched by gevent, because it must be able to remove the pods it started after
this process was interrupted or has ended, and because a user's suite must not be able to disturb haplane's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from pydantic import ValidationError

import haplane.checks.suites
from haplane.checks.results import Check
from haplane.config.model import Inventory
from haplane.domain.progress import Progress
from haplane.errors import BadInput, HaplaneError
from haplane.file_limits import writing_at_most
from haplane.private import refuse_everybodys
from haplane.streams import STDERR_BYTES, TAIL_BYTES, shortened

CLEANUP_SECONDS = 3.0
"""How long an interrupted run waits for its namespace to be removed, which goes on without it."""
FINISHED = (0, 1)  # pytest's exit codes of a whole run: all passed, some failed
NOTHING_COLLECTED = 5
WRITTEN_BYTES = 64 << 20
"""That a user's suite may write to one file, its standard error among them."""
TEST_FILES = ("test_*.py", "*_test.py")
PLACE = re.compile(r"^(?:E\s+)?(?:File \")?(\S[^\"\n:]*\.py)(?:\", line |:)(\d+)", re.M)


@dataclass(frozen=True)
class Suite:
    """A directory of pytest files; ``own`` are haplane's."""

    directory: Path
    own: bool = False

    @property
    def name(self) -> str:
        """The directory's name, which begins the groups of a user's suite."""
        return self.directory.name


OWN = Suite(Path(haplane.checks.suites.__file__).parent, own=True)


def user_suite(directory: str) -> Suite:
    """The suite in a directory. Raises BadInput when there is no directory or no test file in it."""
    suite = Suite(Path(directory).absolute())
    if not suite.directory.is_dir():
        raise BadInput(
            "a suite is a directory of testinfra files",
            where=f"--suite {directory}",
            why="there is no such directory",
        )
    for program in suite.directory.rglob("*.py"):
        refuse_everybodys(program, "this suite, which is a program that you run")
    if not any(next(suite.directory.rglob(pattern), None) for pattern in TEST_FILES):
        raise BadInput(
            "the suite has no tests",
            where=f"--suite {directory}",
            why=f"no file in it is named {' or '.join(TEST_FILES)}",
            next_step="add one, for example test_ssh.py from docs/verify.md",
        )
    return suite


def collect(suite: Suite, inventory: Inventory) -> None:
    """Load a user's suite without running it. Raises BadInput with file and line for what cannot be loaded."""
    run(suite, inventory, progress=lambda *_: None, options=("--collect-only",))


def run(suite: Suite, inventory: Inventory, *, progress: Progress, options: Iterable[str] = ()) -> list[Check]:
    """Run a suite against the cluster of the inventory, with more of pytest's ``options``.

    Raises BadInput for a user's suite that cannot be loaded, HaplaneError when a suite does not run to its end.
    """
    checks: list[Check] = []
    command = [*pytest_command(suite, inventory), *options]
    with TemporaryFile() as stderr, _child(suite, command, stderr, progress) as child:
        for event in _events(child.stdout or ()):
            if event["event"] == "broken":
                raise _broken(suite, str(event["where"]), str(event["why"]))
            if (check := _check(event)) is None:
                continue
            if event["event"] == "started":
                progress("verify", f"checking {check.group}")
            else:
                checks.append(check)
        _refuse_half_a_run(suite, child.wait(), stderr)
    return checks


def pytest_command(suite: Suite, inventory: Inventory) -> list[str]:
    """Pytest over the suite, without configuration, caches or plugins of wherever the user stands."""
    directory = str(suite.directory)
    ours = ["--assert=plain"]
    theirs = ["-p", "haplane.checks.user_suite", f"--suite={suite.name}"]
    return [
        *(sys.executable, "-P", "-m", "pytest", directory),
        *("-c", os.devnull, f"--rootdir={directory}", f"--confcutdir={directory}"),
        *("-p", "no:cacheprovider", "-p", "no:terminal", "-p", "haplane.checks.plugin", "--capture=no"),
        *("-W", "ignore", f"--inventory={Path(inventory.path).absolute()}", "--json-lines"),
        *(ours if suite.own else theirs),
    ]


def _environment() -> dict[str, str]:
    """The user's, less what would steer pytest; bytecode is not written beside an installed package."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _events(lines: Iterable[str]) -> Generator[dict[str, object], None, None]:
    """The plugin's events; anything else on that stdout is a test's own output."""
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("event") in ("started", "finished", "broken"):
            yield event


def _check(event: dict[str, object]) -> Check | None:
    try:
        return Check.model_validate(event)
    except ValidationError:
        return None


@contextmanager
def _child(
    suite: Suite, command: list[str], stderr: IO[bytes], progress: Progress
) -> Generator[subprocess.Popen[str], None, None]:
    """The suite's process. Ctrl-C and SIGTERM end it, and so does a broken suite.

    An interrupted one of ours removes what it made, with or without us.
    """
    child = subprocess.Popen(
        writing_at_most(STDERR_BYTES if suite.own else WRITTEN_BYTES, command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env=_environment(),
        start_new_session=True,  # Ctrl-C reaches it through us, once: nothing else disturbs its cleanup
    )
    try:
        yield child
        child.communicate()
    except KeyboardInterrupt:
        progress("verify", "interrupted: removing what was started")
        child.terminate()
        try:
            child.communicate(timeout=CLEANUP_SECONDS)
        except subprocess.TimeoutExpired:
            if suite.own:
                progress("verify", "still removing it; see: `kubectl get namespaces -l haplane.io/verify`")
            else:
                child.kill()
        raise
    except BaseException:
        child.kill()
        child.communicate()
        raise


def _refuse_half_a_run(suite: Suite, code: int, stderr: IO[bytes]) -> None:
    if code in FINISHED:
        return
    stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - TAIL_BYTES))
    text = stderr.read(TAIL_BYTES).decode(errors="replace")
    lines = [shortened(line) for line in text.splitlines() if line.strip()]
    if suite.own:
        raise HaplaneError(
            "the checks did not run to completion",
            where=f"pytest, exit code {code}",
            why="\n".join(lines[-15:]) or None,
            next_step="re-run with --debug, and please report it",
        )
    if code == NOTHING_COLLECTED:
        raise BadInput(
            "the suite has no tests",
            where=f"--suite {suite.directory}",
            why="its files define no function named test_*",
            next_step="add one, for example test_ssh.py from docs/verify.md",
        )
    places = PLACE.findall(text)
    reasons = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")] or lines
    where = f"{suite.directory / places[-1][0]}:{places[-1][1]}" if places else f"--suite {suite.directory}"
    raise _broken(suite, where, reasons[-1] if reasons else f"pytest ended with exit code {code}")


def _broken(suite: Suite, where: str, why: str) -> HaplaneError:
    return BadInput(
        f"the suite {suite.name} cannot be run; none of its checks counts",
        where=where,
        why=why,
        next_step="fix that file, then run the same command again",
    )
