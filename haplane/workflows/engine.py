"""The one loop behind every verb that changes hosts.

A verb is a tuple of entries, carried out from top to bottom. Everything above CONFIRM only looks; everything below
LOOK_AGAIN runs under the cluster's lock, and phases among it run where the plan asks for them.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from enum import Enum

from haplane.context.context import Context
from haplane.context.phase import Look, Phase
from haplane.domain.plan import Kind
from haplane.domain.status import Status
from haplane.errors import ExitCode
from haplane.executor import HeldLock

Confirm = Callable[[tuple[str, ...]], bool]
"""Shows the lines of a plan, and whether they may be carried out."""


class Gate(Enum):
    """What the engine itself does, between looking and changing."""

    CONFIRM = "show the plan and ask; a dry run ends here, and so does a no"
    LOCK = "take the cluster's lock on every host that answers"
    LOOK_AGAIN = "look again from the top; a plan that has changed is shown and asked about as well"


CONFIRM, LOCK, LOOK_AGAIN = Gate.CONFIRM, Gate.LOCK, Gate.LOOK_AGAIN
Entry = Look | Phase | Gate


@dataclass(frozen=True)
class Verb:
    """``name`` is what progress calls it; ``command``, as it is typed, tells other runs who holds the lock."""

    name: str
    command: str
    entries: tuple[Entry, ...]


def as_typed(*words: str, without: Sequence[str] = ()) -> str:
    """The command ``haplane WORDS... --without NAME...``, quoted for a shell."""
    left_out = [word for name in without for word in ("--without", name)]
    return shlex.join(["haplane", *words, *left_out])


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a verb ended. ``plan`` is what was shown, ``status`` how the cluster was found afterwards, if it was.

    ``skipped``: why, for each host that did not answer or was left out. ``warnings``: what was tried and does not
    work, though everything else was done.
    """

    changed: bool
    plan: tuple[str, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    status: Status | None = None

    @property
    def exit_code(self) -> ExitCode:
        """6 when hosts were skipped, something does not work, or the cluster is not healthy afterwards."""
        complete = not self.skipped and not self.warnings and (self.status is None or self.status.healthy)
        return ExitCode.DONE if complete else ExitCode.INCOMPLETE


def looks_before(entries: tuple[Entry, ...], end: Entry) -> tuple[Look, ...]:
    """What looks, of the entries before ``end``."""
    return tuple(entry for entry in entries[: entries.index(end)] if isinstance(entry, Look))


def carry_out(verb: Verb, context: Context, confirm: Confirm) -> tuple[str, ...]:
    """Every entry in turn; the lines of the plan as they were last shown.

    With an empty plan nothing is asked or locked, and only what looks runs.
    """
    with ExitStack() as held:
        context.resources = held
        engine = _Engine(verb, context, confirm)
        engine.run_all()
    return engine.lines


class _Engine:
    def __init__(self, verb: Verb, context: Context, confirm: Confirm) -> None:
        self._verb = verb
        self._context = context
        self._confirm = confirm
        self._lock: HeldLock | None = None
        self.lines: tuple[str, ...] = ()

    def run_all(self) -> None:
        gates = {CONFIRM: self._confirmed, LOCK: self._locked, LOOK_AGAIN: self._still_confirmed}
        for entry in self._verb.entries:
            if isinstance(entry, Gate):
                if not gates[entry]():
                    return
            elif isinstance(entry, Look):
                entry.carry_out(self._context)
            elif entry.should_run(self._context):
                self._carry_out(entry)

    def _confirmed(self) -> bool:
        self.lines = self._describe()
        return not self.lines or (not self._context.request.dry_run and self._confirm(self.lines))

    def _locked(self) -> bool:
        context = self._context
        if self.lines:
            reached = context.reachable(context.inventory.everyone)
            self._lock = context.resources.enter_context(
                context.executor.lock(context.inventory, reached, self._verb.command)
            )
            context.hold(self._lock)
            context.resources.callback(context.let_go)
        return True

    def _still_confirmed(self) -> bool:
        """Plans are compared by what they do, not by why: reasons may be worded anew from one look to the next."""
        if not self.lines:
            return True
        confirmed = _substance(self._context)
        for look in looks_before(self._verb.entries, CONFIRM):
            look.carry_out(self._context)
        self.lines = self._describe()
        if self.lines and _substance(self._context) != confirmed and not self._confirm(self.lines):
            return False
        self._context.result.changed = bool(self.lines)
        return True

    def _carry_out(self, phase: Phase) -> None:
        if self._lock is None:
            phase.carry_out(self._context)
            return
        self._lock.check()
        self._context.progress(self._verb.name, phase.title)
        with self._lock.breaking_off() if phase.breakable else nullcontext():
            phase.carry_out(self._context)

    def _describe(self) -> tuple[str, ...]:
        phases = [entry for entry in self._verb.entries if isinstance(entry, Phase)]
        return (
            *self._context.decision.headline,
            *(line for phase in phases for line in phase.describe(self._context)),
        )


def _substance(context: Context) -> tuple[tuple[str, ...], tuple[tuple[Kind, str, tuple[str, ...]], ...]]:
    return context.decision.headline, context.plan.changes
