"""Taking everything of snapshots but the snapshots themselves off a member."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation

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
def remove(timer: str, service: str, root: str, files: Sequence[str]) -> Generator[StringCommand, None, None]:
    """Stop taking snapshots, and remove all but the snapshots themselves.

    + timer: its unit
    + service: its unit, of which a run may be under way
    + root: the agent's directory
    + files: everything else
    """
    words = [QuoteString(word) for word in (timer, service, root, *files)]
    yield StringCommand("sh", "-c", QuoteString(REMOVE), "sh", *words)
