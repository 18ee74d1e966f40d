"""What a verb's tuple consists of, besides the engine's own gates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from haplane.context.context import Context
from haplane.domain.plan import Kind


@dataclass(frozen=True)
class Look:
    """An entry that changes no host: it observes, waits, refuses or decides."""

    title: str
    carry_out: Callable[[Context], None]


@dataclass(frozen=True)
class Phase:
    """A title, the kinds of steps it carries out, and how. Without such steps in the plan it does not run.

    ``also_after`` are kinds that other phases carry out and that leave it something to do; ``when`` decides for a
    phase that no step asks for. What is ``breakable`` takes nothing out of service and waits for hosts: it is broken
    off when one of them is lost, because it has to be done again anyway.
    """

    title: str
    kinds: tuple[Kind, ...]
    carry_out: Callable[[Context], None]
    also_after: tuple[Kind, ...] = ()
    breakable: bool = False
    when: Callable[[Context], bool] | None = None

    def describe(self, context: Context) -> list[str]:
        """What it will do, in the words of the plan it will run from."""
        return context.plan.describe(*self.kinds)

    def should_run(self, context: Context) -> bool:
        """Whether the plan has a step for it, or it is due without one."""
        due = self.when is not None and self.when(context)
        return due or bool(context.plan.of(*self.kinds, *self.also_after))
