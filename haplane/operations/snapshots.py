"""Where snapshots are kept on a member, and taking all of that but the snapshots off again."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from haplane.facts.paths import ExistingPaths

REMOVE = """
set -eu
timer=$1 service=$2 root=$3
shift 3
systemctl disable --quiet --now "$timer" 2>/dev/null || true
systemctl stop "$service" 2>/dev/null || true
rm -f "$@"
rm -rf "$root"
systemctl daemon-reload
systemctl reset-failed "$timer" "$service" 2>/dev/null || true
"""


@operation()
def directory(path: str) -> Generator[StringCommand, None, None]:
    """Have a directory that only root may look into.

    + path: the directory
    """
    if path in host.get_fact(ExistingPaths, paths=[path]):
        host.noop(f"{path} is there")
        return
    yield StringCommand("install", "-d", "-m", "700", QuoteString(path))


@operation()
def remove(timer: str, service: str, root: str, files: Sequence[str]) -> Generator[StringCommand, None, None]:
    """Stop taking snapshots, and remove all but the snapshots themselves.

    + timer: its unit
    + service: its unit, of which a run may be under way
    + root: the agent's directory
    + files: everything else
    """
    words = [QuoteString(word) for word in (timer, service, root, *files)]
    yield StringCommand("sh", "-c", QuoteString(REMOVE), "sh", *words)
