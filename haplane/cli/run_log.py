"""The log of a run: every command on every host, progress and messages, and the error with its traceback.

One file per run, ``CLUSTER-VERB-TIMESTAMP.log`` in ``$XDG_STATE_HOME/haplane/log``, readable by its owner alone.
"""

from __future__ import annotations

import contextlib
import glob
import logging
import os
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import haplane
from haplane.cli.text import printable
from haplane.domain.timestamps import timestamp
from haplane.errors import HaplaneError
from haplane.private import make_private, state_directory
from haplane.remote.executions import LOGGER, Execution

KEPT_RUNS = 50
"""Of each verb on each cluster, the newest: `status` from cron does not push the log of last week's `up` out."""
KEPT_BYTES = 64 << 20
"""Of all of them together; the oldest go first."""
MOST_READ = 10
LOG_BYTES = 16 << 20
"""Of one run, after which only errors are written: `status --watch` may run for weeks."""
COMMAND_CHARACTERS = 400
"""Many are scripts of thousands of lines; what they are for is in the line of progress before them."""
OUTPUT_CHARACTERS = 4000

SECRETS = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*KEY-----|\Z)", re.DOTALL), "private key"),
    (re.compile(r"AGE-SECRET-KEY-[0-9A-Z]+"), "age identity"),
    (re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b"), "bootstrap token"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "token"),
    (re.compile(r"(?<=-key-data: )\S+"), "key"),
    (re.compile(r"""(?<=secret": ")[^"]+"""), "key"),
    (re.compile(r"(?<=://)[^/\s:@]{0,256}:[^/\s@]{1,256}(?=@)"), "password"),
    (re.compile(r"(?i)(?<=secret_access_key)\s*[=:]\s*\S+"), "key"),
    (re.compile(r"(?i)(?<=authorization: )(?:basic|bearer)\s+\S+"), "password"),
)
"""None of these gets into a log by design; should one, on haplane's own command line too, it is not written."""


def directory() -> Path:
    """Where logs are."""
    return state_directory() / "log"


def without_secrets(text: str) -> str:
    """The text with everything that looks like a secret replaced by its kind."""
    for pattern, kind in SECRETS:
        text = pattern.sub(f"[{kind} not logged]", text)
    return text


def open_log(name: str, now: datetime) -> tuple[Path, TextIO]:
    """A new file for a run of that name. Removes what is older than is kept. Raises OSError."""
    folder = directory()
    make_private(folder)
    folder.chmod(0o700)
    for number in range(100):
        path = folder / f"{name}-{timestamp(now)}{f'-{number}' if number else ''}.log"
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            remove_old(folder, name)
            return path, os.fdopen(descriptor, "w", encoding="utf-8", errors="replace")
    raise FileExistsError(f"{folder}: a hundred runs in one second")


def remove_old(folder: Path, name: str) -> None:
    """Keep KEPT_RUNS logs of this name, and KEPT_BYTES of all. Another run may remove the same ones meanwhile."""
    found: dict[Path, os.stat_result] = {}
    for path in folder.glob("*.log"):
        with contextlib.suppress(FileNotFoundError):
            found[path] = path.stat()
    logs = sorted(found, key=lambda path: found[path].st_mtime, reverse=True)
    same = [path for path in logs if _name_of(path) == name]
    old = set(same[KEPT_RUNS:])
    total = 0
    for path in logs:
        total += found[path].st_size
        if total > KEPT_BYTES:
            old.add(path)
    for path in old:
        path.unlink(missing_ok=True)


def earlier_lines(name: str) -> Iterator[str]:
    """Of the newest logs of this name, MOST_READ of them. None where they cannot be read."""
    try:
        logs = [path for path in directory().glob(f"{glob.escape(name)}-*.log") if _name_of(path) == name]
    except RuntimeError:  # nobody knows the home directory
        return
    for path in sorted(logs, reverse=True)[:MOST_READ]:
        with contextlib.suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
            yield from file


def _name_of(log: Path) -> str:
    return log.name.rpartition("Z")[0][:-16]


class RunLog(logging.Handler):
    """Writes what happens in a run to ``file``. ``warn`` is called, once, when that fails."""

    def __init__(self, path: Path, file: TextIO, warn: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self.path = path
        self._file: TextIO | None = file
        self._warn = warn
        self._written = 0
        LOGGER.addHandler(self)
        self.write(f"haplane {haplane.__version__}, process {os.getpid()}: {shlex.join(sys.argv[1:])}")

    def emit(self, record: logging.LogRecord) -> None:
        execution: Execution = record.__dict__["execution"]
        self.write(described(execution), output=shortened_output(execution.output))

    def write(self, line: str, *, output: str = "", always: bool = False) -> None:
        """One line with the time before it, ``output`` indented below it: a host's text cannot pass for a line."""
        if self._file is None or (self._written > LOG_BYTES and not always):
            return
        first, *rest = printable(without_secrets(line).expandtabs(4)).split("\n")
        below = [*rest, *printable(without_secrets(output).expandtabs(4)).split("\n")] if output else rest
        timestamp = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + "Z"
        text = f"{timestamp}  {first}\n" + "".join(f"    | {each}\n" for each in below)
        self._written += len(text)
        if self._written > LOG_BYTES and not always:
            text += "from here on only errors are written: this log is full\n"
        try:
            self._file.write(text)
            self._file.flush()
        except (OSError, ValueError) as error:
            self._file = None
            self._warn(f"warning: the log {self.path} ends here: {error}")

    def error(self, error: HaplaneError, cause: BaseException) -> None:
        """The error as it was shown, and the traceback of its cause."""
        self.write("error", output=f"{error}\n{''.join(traceback.format_exception(cause))}", always=True)

    def end(self, code: int | None) -> None:
        """The exit code, None where the reader of our output has gone; nothing is written after it."""
        self.write("ended" if code is None else f"exit code {code}", always=True)
        LOGGER.removeHandler(self)
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None


def described(execution: Execution) -> str:
    """One line: host, how it ended, and the command."""
    status = "no exit status" if execution.code is None else f"exit {execution.code}"
    return f"{execution.host}: {status}, {execution.seconds:.2f} s: {one_line(execution.command)}"


def one_line(command: str, most: int = COMMAND_CHARACTERS) -> str:
    """The command without line breaks and secrets, cut after ``most`` characters."""
    text = without_secrets(command).replace("\n", "\\n")
    return text if len(text) <= most else f"{text[:most]}... ({len(text) - most} more characters)"


def shortened_output(output: str, most: int = OUTPUT_CHARACTERS) -> str:
    """Its beginning and its end, without secrets: half of a key would not be recognised."""
    output = without_secrets(output)
    if len(output) <= most:
        return output
    return f"{output[: most // 4]}\n... ({len(output) - most} characters) ...\n{output[-(most - most // 4) :]}"
