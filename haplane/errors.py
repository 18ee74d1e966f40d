"""The one tree of errors and the one table of exit codes.

Every error that a user can meet names what went wrong, where, why, and what to do next. Third-party exceptions are
translated into these at the seam where they arise and nowhere else.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """For scripts; documented in docs/command-line.md."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    UNREACHABLE = 3
    REFUSED = 4
    LOCKED = 5
    INCOMPLETE = 6
    DEADLINE = 7


INVENTORY = "INVENTORY"
"""Stands for the inventory's path in a next step: what decides knows hosts, not files."""
FIX_AND_RERUN = "fix the cause and re-run; completed steps are not repeated"


_PLACEHOLDER = re.compile(rf"(?<![^\s`]){INVENTORY}(?![\w/-]|\.\w)")
"""That word alone: not a part of a path which a next step names already."""


def with_inventory(text: str, path: str) -> str:
    """Commands that name this file where they say INVENTORY, quoted for a shell."""
    return _PLACEHOLDER.sub(lambda _: shlex.quote(path), text)


CONTINUED = " " * 7


def _indented(text: str) -> str:
    """Further lines set in below their label: what a host or program wrote cannot pass for a label of its own."""
    first, *more = text.splitlines() or [""]
    return "\n".join([first, *(f"{CONTINUED}{line.removeprefix(CONTINUED)}" for line in more)])


class HaplaneError(Exception):
    """Anything that ends a command. One sentence each for what, where, why and the next step."""

    exit_code = ExitCode.FAILED

    def __init__(
        self, what: str, *, where: str | None = None, why: str | None = None, next_step: str | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        parts = [_indented(self.what)]
        parts += [f"  {label}: {_indented(text)}" for label, text in self.details()]
        return "\n".join(parts)

    @property
    def brief(self) -> str:
        """What and why, on one line."""
        return f"{self.what}: {self.why}" if self.why else self.what

    def details(self) -> list[tuple[str, str]]:
        """The labelled lines below the first one, those that are known."""
        labelled = (("where", self.where), ("why", self.why), ("next", self.next_step))
        return [(label, text) for label, text in labelled if text]

    def add_next_step(self, text: str) -> None:
        """Another way on, beside the one that is there."""
        self.next_step = f"{self.next_step}; {text}" if self.next_step else text

    def name_inventory(self, path: str) -> None:
        """Have the commands of the next step name this file, where they say INVENTORY."""
        self.next_step = self.next_step and with_inventory(self.next_step, path)

    def document(self) -> dict[str, object]:
        """The fields for --json; one that is not known is None."""
        return {"what": self.what, "where": self.where, "why": self.why, "next": self.next_step, "problems": []}


class BadInput(HaplaneError):
    """The command line, the inventory or a file given by the user is wrong; no host was contacted."""

    exit_code = ExitCode.BAD_INPUT


class Unreachable(HaplaneError):
    """Nothing was done because a host that is needed cannot be reached."""

    exit_code = ExitCode.UNREACHABLE


class Refused(HaplaneError):
    """It would be unsafe; the message holds the arithmetic and the safe command."""

    exit_code = ExitCode.REFUSED


class Locked(HaplaneError):
    """Another run holds the cluster's lock."""

    exit_code = ExitCode.LOCKED


class LockLost(HaplaneError):
    """The lock was lost during the run; the steps completed so far stay."""


DEADLINE_MARK = "deadline passed:"
"""Begins the line in which a script on a host reports what did not become true in time, and why."""


class DeadlinePassed(HaplaneError):
    """A condition did not become true in time."""

    exit_code = ExitCode.DEADLINE


class Several(HaplaneError):
    """Several problems found at once, each with its own where and remedy."""

    def __init__(self, what: str, problems: Iterable[HaplaneError]) -> None:
        super().__init__(what)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        own = [f"  {label}: {_indented(text)}" for label, text in self.details()]
        return "\n".join([_indented(self.what), *(str(problem) for problem in self.problems), *own])

    def name_inventory(self, path: str) -> None:
        super().name_inventory(path)
        for problem in self.problems:
            problem.name_inventory(path)

    def document(self) -> dict[str, object]:
        fields = ("what", "where", "why", "next")
        each = [problem.document() for problem in self.problems]
        return {**super().document(), "problems": [{name: one[name] for name in fields} for one in each]}


class Problems(Several, BadInput):
    """Everything that is wrong with the user's input."""

    exit_code = ExitCode.BAD_INPUT


class UnfitHosts(Several, Refused):
    """Every requirement that hosts do not meet; nothing was changed."""

    exit_code = ExitCode.REFUSED
