"""What keeps a cluster from being healthy. Pure.

Two invariants: **no problem without a next step** (one is made here alone, and not without), and **its words are for
people**: what haplane itself decides by is in fields of its own.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum, auto

from haplane.domain import host_paths
from haplane.errors import INVENTORY, with_inventory

UP = f"`haplane up {INVENTORY}`"
ETCDCTL = (
    f"etcdctl --endpoints=https://127.0.0.1:2379 --cacert={host_paths.ETCD_MEMBER_CA_CRT} "
    f"--cert={host_paths.ETCD_HEALTHCHECK_CLIENT_STEM}.crt --key={host_paths.ETCD_HEALTHCHECK_CLIENT_STEM}.key"
)
"""As a member's own host asks it."""
FIX = "; fix: "


class Ends(Enum):
    """When a problem may be over without anybody doing anything more."""

    SOON = auto()
    AFTER_BACK_OFF = auto()
    """Once the kubelet starts a container again that crashed repeatedly."""
    BY_ITS_FIX = auto()
    """Never, or too late to wait for it."""


@dataclass(frozen=True)
class Problem:
    """``needs``: hosts without which it does not end, whatever else happens."""

    what: str
    why: str | None
    fix: str
    needs: frozenset[str] = frozenset()
    ends: Ends = Ends.SOON

    def __str__(self) -> str:
        """On one line."""
        cause = f" ({self.why})" if self.why else ""
        return f"{self.what}{cause}{FIX}{self.fix}"

    def passes_without(self, hosts: Collection[str]) -> bool:
        """Whether waiting may end it while these hosts are unreachable."""
        return self.ends is not Ends.BY_ITS_FIX and self.needs.isdisjoint(hosts)


def problem(
    what: str, *, why: str | None = None, fix: str, needs: Collection[str] = (), ends: Ends = Ends.SOON
) -> Problem:
    """What is wrong and on which host, its cause, and one command, or the edit that one belongs to."""
    return Problem(_reported(what), _reported(why) if why else None, fix, frozenset(needs), ends)


def _reported(text: str) -> str:
    """On one line, and without anything that could pass for the next step: much of it is in hosts' own words."""
    return " ".join(text.split()).replace("`", "'").replace(FIX.strip(), ", fix:")


def named(one: Problem, inventory: str) -> Problem:
    """With the path of the inventory in its command."""
    return replace(one, fix=with_inventory(one.fix, inventory))


def on(host: str, command: str) -> str:
    """A command that is for a host's shell."""
    return f"on {host}: `{command}`"


def journal(host: str, unit: str) -> str:
    """Where a unit's own words are."""
    return on(host, f"journalctl -u {unit} -n 50")


def filling(host: str, directory: str) -> str:
    """What shows which files fill the disk under a directory: they may lie anywhere on it."""
    disk = f"$(findmnt -no TARGET -T {directory})"
    return on(host, f"du -xh --max-depth=3 {disk} | sort -h | tail") + " shows what fills it"


def word(text: str) -> str:
    """A host's text as one word of a command, that ends neither the command nor the line it stands in."""
    return shlex.quote("".join(sign if sign.isprintable() and sign != "`" else "?" for sign in text))


def in_code(command: str) -> str:
    """A command as it stands in a line, which one within a sentence does already."""
    return command if "`" in command else f"`{command}`"
