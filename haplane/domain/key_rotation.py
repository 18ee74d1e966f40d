"""How the key that encrypts Secrets at rest is exchanged while API servers serve. Pure.

The invariant: **whatever one API server may write, every other can read**, at every moment and wherever a run is
interrupted. So the new key is read everywhere before it writes anywhere, and the old one goes when no stored Secret
needs it. Where a rotation is follows from what masters hold: there is no other record of it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class Stage(Enum):
    """In this order; the value is what it is for."""

    READ = "let its API server read with the new key too"
    WRITE = "let its API server write with the new key"
    REWRITE = "rewrite every Secret"
    DROP = "drop the old key"


@dataclass(frozen=True)
class MasterKeys:
    """The names of the keys in a master's file, the writing one first, and whether its API server runs with them."""

    names: tuple[str, ...]
    served: bool


@dataclass(frozen=True)
class Action:
    """What is next; on one master, but for REWRITE, which is done through the API."""

    stage: Stage
    master: str | None = None


def unfinished_rotations(
    staged: Mapping[str, Sequence[str]], files: Mapping[str, Container[str]]
) -> dict[str, tuple[str, ...]]:
    """The kinds of keys whose rotation is under way, each with the masters that show it.

    ``staged`` maps a kind to the paths of its staged files, ``files`` each master to the paths of those it has.
    """
    holders = {
        kind: tuple(name for name, held in files.items() if any(path in held for path in paths))
        for kind, paths in staged.items()
    }
    return {kind: names for kind, names in holders.items() if names}


def next_action(new: str, masters: Mapping[str, MasterKeys], rewritten: Callable[[], bool]) -> Action | None:
    """None when the new key is the only one everywhere; ``rewritten`` is asked once every master writes with it."""
    for stage in (Stage.READ, Stage.WRITE):
        if due := _due(stage, new, masters):
            return Action(stage, due)
    dropping = _due(Stage.DROP, new, masters)
    if dropping is not None and not rewritten():
        return Action(Stage.REWRITE)
    return Action(Stage.DROP, dropping) if dropping is not None else None


def order_of(stage: Stage, names: tuple[str, ...], new: str) -> tuple[str, ...]:
    """The keys that a master's file has after that stage."""
    others = tuple(name for name in names if name != new)
    if stage is Stage.READ:
        return names if new in names else (*others, new)
    return (new,) if stage is Stage.DROP else (new, *others)


def _due(stage: Stage, new: str, masters: Mapping[str, MasterKeys]) -> str | None:
    return next((name for name, keys in masters.items() if not _is_past(stage, new, keys)), None)


def _is_past(stage: Stage, new: str, keys: MasterKeys) -> bool:
    return keys.served and order_of(stage, keys.names, new) == keys.names
