"""One line of what keeps a cluster from being healthy. Pure.

The invariant: **no line without a next step**. A :data:`Problem` is made here alone, and not without one.
"""

from __future__ import annotations

import shlex
from typing import NewType

from haplane.errors import INVENTORY

Problem = NewType("Problem", str)

UP = f"`haplane up {INVENTORY}`"
FIX = "; fix: "


def problem(what: str, *, why: str | None = None, fix: str) -> Problem:
    """What is wrong and on which host, its cause, and one command, or the edit that one belongs to."""
    cause = f" ({_reported(why)})" if why else ""
    return Problem(f"{_reported(what)}{cause}{FIX}{fix}")


def _reported(text: str) -> str:
    """On one line, and without anything that could pass for the next step: much of it is in hosts' own words."""
    return " ".join(text.split()).replace("`", "'").replace(FIX.strip(), ", fix:")


def named(line: Problem, inventory: str) -> Problem:
    """With the path of the inventory in its command."""
    return Problem(line.replace(INVENTORY, inventory))


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
