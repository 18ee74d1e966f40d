"""Commands and streams through OpenSSH: for what is too large for pyinfra's transport, or secret."""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Collection, Iterator

from haplane.archives import members, opened
from haplane.config.model import Host
from haplane.errors import DeadlinePassed, HaplaneError, Unreachable
from haplane.remote.connection import GONE, connect, is_gone, multiplexed
from haplane.remote.environment import as_root, at_login, shell_of
from haplane.remote.executions import executing
from haplane.remote.ssh_failures import NoConnection, of_the_shell, own_words
from haplane.remote.target import options, session, target
from haplane.ssh import ALIVE, COMMAND_SECONDS
from haplane.streams import Completed, capture, last_line

UNREACHABLE_CODE = 255  # ssh(1): "or with 255 if an error occurred"


def ssh_command(host: Host, *command: str, alive: tuple[int, int] = ALIVE, apart: bool = False) -> list[str]:
    """The argv that runs ``command`` (words, quoted here) on the host as root, through its shell if it has one.

    Its output and its errors begin after MARK. ``apart``: over a connection of its own.
    """
    inside = (*shell_of(host), "-c", shlex.join(command)) if host.ssh.shell else (*as_root(host), *command)
    return remote_words(host, shlex.join(inside), alive=alive, apart=apart)


def remote_words(host: Host, command: str, *, alive: tuple[int, int] = ALIVE, apart: bool = False) -> list[str]:
    """The argv that runs one command, quoted already, on the host as the user who logs in."""
    shared = ["-o", "ControlPath=none"] if apart else multiplexed(host)
    return [*session(host), *shared, *options(host, alive), *target(host.ssh), at_login(command)]


def run(host: Host, *command: str, stdin: bytes = b"", deadline_seconds: float = COMMAND_SECONDS) -> bytes:
    """The standard output of a command on the host.

    Raises Unreachable when the host cannot be reached, DeadlinePassed when it or the command hangs, and HaplaneError
    when the command fails or answers without end. None holds the command's input or output, which may be secret.
    """
    done = attempt(host, *command, stdin=stdin, deadline_seconds=deadline_seconds)
    if done.code != 0:
        raise ended(host, command[0], done.code, done.stderr)
    return done.stdout


def attempt(host: Host, *command: str, stdin: bytes = b"", deadline_seconds: float = COMMAND_SECONDS) -> Completed:
    """As :func:`run`, for a command whose failure the caller explains: any exit code is returned."""
    try:
        connect(host)
    except NoConnection as error:
        raise unreachable(host, str(error)) from None
    try:
        with executing(host.name, shlex.join(command)) as execution:
            done = capture(ssh_command(host, *command), stdin, deadline_seconds=deadline_seconds, marked=True)
            execution.code, execution.output = done.code, logged(done)
    except TimeoutError:
        raise DeadlinePassed(
            f"a command on {host.name} did not end within {deadline_seconds:g} s",
            where=f"{host.name}: {command[0]}",
            why="the host, the network to it or the command hangs",
            next_step=f"log in to {host.name} to find out which, then re-run",
        ) from None
    if done.cut is not None:
        raise failed(host, command[0], done.cut)
    return done


def logged(done: Completed) -> str:
    """What the log of the run gets of an answer: standard output may be secret."""
    return f"({len(done.stdout)} bytes, not logged)\n{done.stderr.decode(errors='replace')}"


def read_files(host: Host, paths: Collection[str]) -> dict[str, bytes]:
    """Content by path, as one stream into memory; absent files are left out. Fit for secrets.

    All files together fit into ANSWER_BYTES, and files that were not requested are refused.

    Raises as :func:`run` does, and HaplaneError for an answer that is no archive.
    """
    listed = "\0".join(path.lstrip("/") for path in paths).encode()
    archive = run(
        host, "tar", "--create", "--directory=/", "--ignore-failed-read", "--null", "--files-from=-", stdin=listed
    )
    try:
        found = dict(_unpacked(archive, len(paths)))
    except (tarfile.TarError, OSError):
        raise failed(host, "tar", "its output is not an archive: a login script may print something") from None
    if not found.keys() <= set(paths):
        raise failed(host, "tar", "it sent files that were not requested")
    return found


def _unpacked(archive: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    with opened(io.BytesIO(archive)) as tar:
        for member in members(tar, most=len(archive), count=count):
            file = tar.extractfile(member) if member.isreg() else None
            if file is not None:
                yield "/" + member.name, file.read()


def ended(host: Host, command: str, code: int, stderr: bytes) -> HaplaneError:
    """What ssh's exit code, which is not 0, and standard error mean: Unreachable, or that the command failed."""
    if code != UNREACHABLE_CODE:
        return failed(host, command, last_line(own_words(stderr.decode(errors="replace"))) or f"exit code {code}")
    return unreachable(host, GONE if is_gone(host) else last_line(own_words(stderr.decode(errors="replace"))))


def unreachable(host: Host, why: str) -> Unreachable:
    """A host that ssh does not get to."""
    return Unreachable(
        f"{host.name} cannot be reached",
        where=str(host.ssh),
        why=why,
        next_step=f"try `ssh {host.ssh} true`",
    )


def failed(host: Host, command: str, why: str) -> HaplaneError:
    """A command that failed on a host."""
    return HaplaneError(
        f"a command failed on {host.name}",
        where=f"{host.name}: {command}",
        why=of_the_shell(why),
        next_step="re-run",
    )
