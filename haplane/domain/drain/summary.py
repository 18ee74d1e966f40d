"""What a node's list means as a whole: its lines for people, and what is refused. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from haplane.domain.drain.cost import Cost, Effect
from haplane.domain.plan import few

COUNTED = (Effect.MOVED, Effect.STAYS, Effect.ENDS)
"""Effects of which a number and some names are enough."""
MOST_OF_A_REASON = 300
"""In characters: paths and names in it are what the pod's owner likes."""


@dataclass(frozen=True)
class NodeCost:
    """The list of one node, every pod once."""

    node: str
    costs: tuple[Cost, ...]

    def of(self, *effects: Effect) -> tuple[Cost, ...]:
        return tuple(cost for cost in self.costs if cost.effect in effects)

    @property
    def deadlocks(self) -> tuple[Cost, ...]:
        """Pods that no eviction succeeds for, however long it is waited."""
        return tuple(cost for cost in self.costs if cost.deadlock)

    @property
    def needs_force(self) -> tuple[Cost, ...]:
        """Pods of which something is lost, or that are not to be evicted."""
        return tuple(cost for cost in self.of(Effect.BLOCKS, Effect.LOST) if not cost.deadlock)

    def lines(self) -> list[str]:
        """One for each pod that pays, one for all that move and one for all that stay."""
        return [
            *(f"{self.node}: {line(cost)}" for effect in Effect if effect not in COUNTED for cost in self.of(effect)),
            *(f"{self.node}: {_counted(self.of(effect))}" for effect in COUNTED if self.of(effect)),
        ]


def line(cost: Cost) -> str:
    """One pod's."""
    effect = cost.effect.value
    if cost.effect is Effect.INTERRUPTED and cost.seconds is not None:
        effect = f"interrupted for about {cost.seconds} s, as long as it took to start"
    return f"{cost.pod}: {effect} ({_why(cost)})"


def _why(cost: Cost) -> str:
    return "; ".join(one if len(one) <= MOST_OF_A_REASON else f"{one[: MOST_OF_A_REASON - 3]}..." for one in cost.why)


def _counted(costs: Sequence[Cost]) -> str:
    """Reasons are given where one waits for something, or loses something with its node."""
    effect = costs[0].effect
    names = few([cost.pod for cost in costs])
    least = {Effect.MOVED: 0, Effect.ENDS: 1}.get(effect)
    more = [f"{cost.pod}: {_why(cost)}" for cost in costs if least is not None and len(cost.why) > least]
    return "; ".join([f"{len(costs)} {effect.value}: {names}", *more])
