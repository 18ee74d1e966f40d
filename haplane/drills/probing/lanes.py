"""The cluster's states during a drill as lanes of a timeline. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from haplane.errors import HaplaneError

NOBODY, READY, NOT_READY = "nobody", "ready", "not ready"
GOOD = {READY: True, NOT_READY: False}
Known = dict[str, object]
"""The newest value by host."""


@dataclass(frozen=True, slots=True)
class State:
    """What a host was found to be from ``at`` on, in seconds of the controller's monotonic clock.

    By ``lane``: ``readyz`` and ``node`` are bools; ``address`` a bool or None (the host is not reachable); ``etcd``
    None (no answer) or the ids of the ``member`` and of its ``leader``, the ``term`` and etcd's ``version``.
    """

    lane: str
    host: str
    at: float
    value: object


@dataclass(frozen=True, slots=True)
class Segment:
    """A value that a lane had for a while. ``good`` is None where values are neither good nor bad."""

    begin: float
    end: float
    value: str
    good: bool | None


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of the timeline."""

    name: str
    segments: tuple[Segment, ...]


def parse_states(lines: Iterable[str]) -> list[State]:
    """What the watch has written, a state a line."""
    try:
        return [State(**json.loads(line)) for line in lines]
    except (ValueError, TypeError, RecursionError) as error:
        raise HaplaneError("the watch wrote a line that is not a state", why=str(error)) from None


def lanes(states: Sequence[State], until: float) -> tuple[Lane, ...]:
    """Every lane in the order in which it is shown, each up to ``until``."""
    found = [
        _joined("etcd leader", _of(states, "etcd"), until, _leader),
        _joined("endpoint address", _of(states, "address"), until, _holders),
    ]
    for lane, name in (("readyz", "API server"), ("node", "node")):
        by_host = {state.host for state in _of(states, lane)}
        found += [
            _joined(f"{name} {host}", [one for one in _of(states, lane) if one.host == host], until, _ready)
            for host in sorted(by_host)
        ]
    return tuple(lane for lane in found if lane.segments)


def leader_changes(lane_list: Iterable[Lane]) -> int:
    """How often another member led than before."""
    segments = [one.value for lane in lane_list if lane.name == "etcd leader" for one in lane.segments]
    led = [value for value in segments if value != NOBODY]
    return sum(one != other for one, other in zip(led, led[1:], strict=False))


def etcd_versions(states: Iterable[State]) -> tuple[str, ...]:
    """Every version that a member reported."""
    return tuple(sorted({str(state.value["version"]) for state in states if isinstance(state.value, dict)}))


def _of(states: Iterable[State], lane: str) -> list[State]:
    return [state for state in states if state.lane == lane]


def _joined(name: str, states: Sequence[State], until: float, value_of: Callable[[Known], str]) -> Lane:
    """One value out of what all hosts of the lane are, at every change, from when all of them have reported."""
    known: Known = {}
    segments: list[Segment] = []
    ordered = sorted(states, key=lambda state: state.at)
    for state, following in zip_longest(ordered, ordered[1:]):
        known[state.host] = state.value
        if len(known) < len({one.host for one in states}):
            continue
        value, begin = value_of(known), state.at
        end = until if following is None else following.at
        if segments and segments[-1].value == value:
            begin = segments.pop().begin
        segments.append(Segment(begin, max(begin, end), value, GOOD.get(value)))
    return Lane(name, tuple(segments))


def _ready(known: Known) -> str:
    return READY if all(known.values()) else NOT_READY


def _leader(known: Known) -> str:
    """The member that takes itself for the leader, in the highest term if there are two."""
    views = [(host, view) for host, view in known.items() if isinstance(view, dict)]
    leading = [(int(view["term"]), host) for host, view in views if view["leader"] == view["member"]]
    if not leading:
        return NOBODY
    term, host = max(leading)
    return f"{host} (term {term})"


def _holders(known: Known) -> str:
    return " and ".join(sorted(host for host, holds in known.items() if holds)) or NOBODY
