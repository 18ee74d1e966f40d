"""Raw OpenSSH streams: for what pyinfra's transport is too slow for, or must not hold as text."""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Iterable, Iterator

from haplane.config.model import Host
from haplane.errors import DeadlinePassed, HaplaneError, Unreachable
from haplane.remote.answers import Said, ask

CONNECT_SECONDS = 10
UNREACHABLE_CODE = 255  # ssh(1): "or with 255 if an error occurred"


def ssh_command(host: Host, *command: str) -> list[str]:
    """The argv that runs ``command`` (words, quoted here) on the host as root, through its shell if it has one."""
    ssh = host.ssh
    options = [
        "BatchMode=yes",
        f"ConnectTimeout={CONNECT_SECONDS}",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=3",
        f"StrictHostKeyChecking={ssh.strict_host_key_checking}",
        "LogLevel=ERROR",
        "Ciphers=^aes128-gcm@openssh.com",  # in hardware, where the default is not: a bootstrap is mostly transfer
    ]
    if ssh.known_hosts_file:
        options.append(f"UserKnownHostsFile={ssh.known_hosts_file}")
    argv = ["ssh", "-p", str(ssh.port), "-l", ssh.user]
    argv += [word for option in options for word in ("-o", option)]
    argv += ["-F", ssh.config_file] if ssh.config_file else []
    argv += ["-i", ssh.key, "-o", "IdentitiesOnly=yes"] if ssh.key else []
    through_shell = (*ssh.shell.split(), "-c", shlex.join(command)) if ssh.shell else command
    words = (("sudo", "-n") if ssh.sudo else ()) + through_shell
    return [*argv, ssh.hostname, shlex.join(words)]


def run(host: Host, *command: str, stdin: bytes = b"", deadline_seconds: float = 60) -> bytes:
    """The standard output of a command on the host.

    Raises Unreachable when the host cannot be reached, DeadlinePassed when it or the command hangs, and HaplaneError
    when the command fails or answers without end. None holds the command's input or output, which may be secret.
    """
    said = attempt(host, *command, stdin=stdin, deadline_seconds=deadline_seconds)
    if said.code != 0:
        raise ended(host, command[0], said.code, said.stderr)
    return said.stdout


def attempt(host: Host, *command: str, stdin: bytes = b"", deadline_seconds: float = 60) -> Said:
    """The same for a command that may fail and says why in a way of its own, so whatever its exit code."""
    try:
        said = ask(ssh_command(host, *command), stdin, deadline_seconds=deadline_seconds)
    except TimeoutError:
        raise DeadlinePassed(
            f"a command on {host.name} did not end within {deadline_seconds:g} s",
            where=f"{host.name}: {command[0]}",
            why="the host, the network to it or the command hangs",
            next_step="look at the host, then run again",
        ) from None
    if said.cut is not None:
        raise failed(host, command[0], said.cut)
    return said


def read_files(host: Host, paths: Iterable[str]) -> dict[str, bytes]:
    """Content by path, as one stream into memory; absent files are left out. Fit for secrets.

    Raises as :func:`run` does, and HaplaneError for an answer that is no archive.
    """
    listed = "\0".join(path.lstrip("/") for path in paths).encode()
    archive = run(
        host, "tar", "--create", "--directory=/", "--ignore-failed-read", "--null", "--files-from=-", stdin=listed
    )
    try:
        return dict(_unpacked(archive))
    except (tarfile.TarError, OSError, ValueError, LookupError):  # what tarfile says of bytes that are none of its
        raise failed(host, "tar", "what it wrote is no archive: a login script may print something") from None


def _unpacked(archive: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as members:
        for member in members:
            if member.size > len(archive):  # a sparse file may claim any size
                raise tarfile.ReadError
            file = members.extractfile(member) if member.isreg() else None
            if file is not None:
                yield "/" + member.name, file.read()


def read_file(host: Host, path: str) -> bytes:
    """One file's content. Raises as :func:`run` does."""
    return run(host, "cat", path)


def ended(host: Host, command: str, code: int, complaint: bytes) -> HaplaneError:
    """What ssh's exit code, which is not 0, and standard error mean: Unreachable, or that the command failed."""
    if code != UNREACHABLE_CODE:
        return failed(host, command, last_line(complaint) or f"exit code {code}")
    return Unreachable(
        f"{host.name} cannot be reached",
        where=f"{host.ssh.user}@{host.ssh.hostname} port {host.ssh.port}",
        why=last_line(complaint),
        next_step=f"try `ssh -p {host.ssh.port} {host.ssh.user}@{host.ssh.hostname} true`",
    )


def failed(host: Host, command: str, why: str) -> HaplaneError:
    """A command that did not do what it was sent for."""
    return HaplaneError(
        f"a command failed on {host.name}", where=f"{host.name}: {command}", why=why, next_step="run again"
    )


def last_line(text: bytes) -> str:
    """The last line that says something; ssh and most tools put the reason there."""
    lines = [line for line in text.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
