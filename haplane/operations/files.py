"""Many small files onto a host in one command, secrets included: nothing of them is ever on a command line."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Generator, Sequence

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from haplane.domain import host_paths
from haplane.domain.files import ETCD_USER, WantedFile
from haplane.facts.files import FileStates
from haplane.operations.run import shell


@operation()
def place(files: Sequence[WantedFile]) -> Generator[StringCommand, None, None]:
    """Put files that differ where they belong, each whole or not at all, with their owners.

    systemd and the kernel read what is theirs in the same command.

    + files: the wanted files; what is already there with the same content and mode is left alone, but the kernel's
      settings: it may have others by now
    """
    found = host.get_fact(FileStates, paths=json.dumps([file.path for file in files])) if files else {}
    changed = [
        file
        for file in files
        if file.path == host_paths.SYSCTL_CONF or found.get(file.path) != [file.sha256, file.mode]
    ]
    if not changed:
        host.noop("every file is up to date")
        return
    yield shell("place_files", stdin=base64.b64encode(archive(changed)).decode(), **needs(changed))


@operation()
def remove_directory(directory: str) -> Generator[StringCommand, None, None]:
    """Remove it with all that is in it.

    + directory: its path
    """
    yield StringCommand("rm", "-rf", "--", QuoteString(directory))


def needs(files: Sequence[WantedFile]) -> dict[str, str]:
    """What of place_files.sh these files need: its variables."""
    kernel = {host_paths.SYSCTL_CONF, host_paths.KERNEL_MODULES_CONF}
    return {
        "owner": ETCD_USER if any(file.owner == ETCD_USER for file in files) else "root",
        "kernel": "yes" if kernel & {file.path for file in files} else "no",
        "units": "yes" if any(host_paths.is_below(file.path, host_paths.SYSTEMD_UNITS) for file in files) else "no",
    }


def archive(files: Sequence[WantedFile]) -> bytes:
    """A tar of the files, relative to the root, with their modes and owners and no times."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as members:
        for file in files:
            member = tarfile.TarInfo(file.path.lstrip("/"))
            member.size, member.mode = len(file.content), file.mode
            member.uname = member.gname = file.owner
            members.addfile(member, io.BytesIO(file.content))
    return buffer.getvalue()
