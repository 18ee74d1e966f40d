"""The one tree of errors and the one table of exit codes.

Every error a user can meet says what went wrong, where, why, and what to do next. Third-party exceptions are
translated into these at the seam where they arise and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What a script that calls haplane may depend on."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    UNREACHABLE = 3
    REFUSED = 4
    LOCKED = 5
    INCOMPLETE = 6
    DEADLINE = 7


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
        parts = [self.what]
        parts += [f"  {label}: {text}" for label, text in self.details()]
        return "\n".join(parts)

    def details(self) -> list[tuple[str, str]]:
        """The labelled lines below the first one, those that are known."""
        labelled = (("where", self.where), ("why", self.why), ("next", self.next_step))
        return [(label, text) for label, text in labelled if text]


class BadInput(HaplaneError):
    """The command line, the inventory or a file given by the user is wrong; no host was contacted."""

    exit_code = ExitCode.BAD_INPUT


class Unreachable(HaplaneError):
    """Nothing was done because a host that is needed cannot be reached."""

    exit_code = ExitCode.UNREACHABLE


class Refused(HaplaneError):
    """Doing it would be unsafe; the message holds the arithmetic and the safe command."""

    exit_code = ExitCode.REFUSED


class Locked(HaplaneError):
    """Another run holds the cluster's lock."""

    exit_code = ExitCode.LOCKED


class LockLost(HaplaneError):
    """The run's lock is gone in the middle of it; what it did so far stays."""


class Incomplete(HaplaneError):
    """Done, but not everywhere or not verified."""

    exit_code = ExitCode.INCOMPLETE


DEADLINE_MARK = "deadline passed:"
"""How a script on a host begins the line in which it says for what it waited too long, and why."""


class DeadlinePassed(HaplaneError):
    """A condition did not become true in time."""

    exit_code = ExitCode.DEADLINE


class Several(HaplaneError):
    """Several problems found at once, each with its own where and remedy."""

    def __init__(self, what: str, problems: Iterable[HaplaneError]) -> None:
        super().__init__(what)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join([self.what, *(str(problem) for problem in self.problems)])


class Problems(Several, BadInput):
    """Everything that is wrong with the user's input."""

    exit_code = ExitCode.BAD_INPUT


class UnfitHosts(Several, Refused):
    """Everything on the hosts that forbids going on; nothing was changed."""

    exit_code = ExitCode.REFUSED
