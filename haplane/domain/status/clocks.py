"""Hosts whose clock is off: certificates, leases and snapshots are judged by it."""

from __future__ import annotations

from collections.abc import Mapping

from haplane.domain.clocks import HERE, is_the_controllers, offset_in_words
from haplane.domain.problem import Problem, on, problem


def clock_problems(offsets: Mapping[str, float]) -> list[Problem]:
    """Where all of several hosts are off to the same side, it is the clock that they are compared with."""
    off = {name: offset for name, offset in sorted(offsets.items()) if offset}
    if is_the_controllers(offsets):
        why = f"{', '.join(off)} are all {'ahead of' if max(off.values()) > 0 else 'behind'} it"
        return [problem("the controller's clock is off", why=why, fix=HERE)]
    return [
        problem(
            f"{name}: its clock is off",
            why=offset_in_words(offset),
            fix=f"start a time service: {on(name, 'systemctl restart chrony')}",
        )
        for name, offset in off.items()
    ]
