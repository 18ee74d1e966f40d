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

from haplane.domain.files import WantedFile
from haplane.facts.files import FileStates

UNPACK = r"""
set -eu
umask 077
staging=$(mktemp -d /run/haplane.XXXXXX)
trap 'rm -rf "$staging"' EXIT
base64 -d | tar -x -p -m -C "$staging"
cd "$staging"
"""
KERNEL = """
test ! -e etc/modules-load.d/haplane.conf || while read -r module; do
    case $module in '#'*) continue ;; esac
    modprobe "$module" 2>/dev/null || test -d "/sys/module/$module" || echo "kernel module $module is not available"
done < etc/modules-load.d/haplane.conf
test ! -e etc/sysctl.d/99-haplane.conf || sysctl -q -e -p etc/sysctl.d/99-haplane.conf
"""
"""Before the files have their names: interrupted in between, the next run finds them missing and does it again."""

PLACE = r"""
find . -type f | while read -r file; do
    target="/${file#./}"
    (umask 022 && mkdir -p "$(dirname "$target")")
    cp -p "$file" "$target.haplane-new"
    sync "$target.haplane-new"
    mv -f "$target.haplane-new" "$target"
done
"""
"""Each file is complete under a name of its own, and on disk, before it takes its final name."""

RELOAD = "systemctl daemon-reload\n"


@operation()
def place(files: Sequence[WantedFile]) -> Generator[StringCommand, None, None]:
    """Put files that differ where they belong, each whole or not at all, owned by root.

    systemd and the kernel take up what is theirs in the same command.

    + files: the wanted files; what is already there with the same content and mode is left alone
    """
    found = host.get_fact(FileStates, paths=json.dumps([file.path for file in files])) if files else {}
    changed = [file for file in files if found.get(file.path) != [file.sha256, file.mode]]
    if not changed:
        host.noop("every file is as wanted")
        return
    yield StringCommand("sh", "-c", QuoteString(script(changed)), _stdin=base64.b64encode(archive(changed)).decode())


def script(files: Sequence[WantedFile]) -> str:
    """What takes their archive, in base64, on its standard input and puts them where they belong."""
    units = any(file.path.startswith("/etc/systemd/system/") for file in files)
    kernel = any(file.path.startswith(("/etc/sysctl.d/", "/etc/modules-load.d/")) for file in files)
    return UNPACK + (KERNEL if kernel else "") + PLACE + (RELOAD if units else "")


def archive(files: Sequence[WantedFile]) -> bytes:
    """A tar of the files, relative to the root, with their modes and no times."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as members:
        for file in files:
            member = tarfile.TarInfo(file.path.lstrip("/"))
            member.size, member.mode = len(file.content), file.mode
            members.addfile(member, io.BytesIO(file.content))
    return buffer.getvalue()
