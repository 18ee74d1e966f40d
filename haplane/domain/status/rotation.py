"""A rotation of keys that was interrupted."""

from __future__ import annotations

from haplane.domain.host_paths import ROTATION_FILES
from haplane.domain.key_rotation import unfinished_rotations
from haplane.domain.observed import Observation
from haplane.domain.problem import Ends, Problem, problem
from haplane.domain.status.model import Roster


def rotation_problems(roster: Roster, observation: Observation) -> list[Problem]:
    """One for each kind of keys of which masters still hold staged ones: while most do, `up` refuses."""
    _, unfinished = _unfinished(roster, observation)
    return [
        problem(
            f"the rotation of the {kind} keys is not finished",
            why=f"{', '.join(holders)} still {'has' if len(holders) == 1 else 'have'} the new keys staged",
            fix=f"`haplane keys rotate {roster.inventory} {kind}`",
            ends=Ends.BY_ITS_FIX,
        )
        for kind, holders in unfinished.items()
    ]


def is_rotating(roster: Roster, observation: Observation) -> bool:
    """Whether most masters hold staged keys, so that those in use may differ for a time."""
    masters, unfinished = _unfinished(roster, observation)
    return any(2 * len(holders) > masters for holders in unfinished.values())


def _unfinished(roster: Roster, observation: Observation) -> tuple[int, dict[str, tuple[str, ...]]]:
    """How many masters answered, and by kind of keys those that hold staged ones."""
    files = {name: observation.reports[name].files for name in roster.masters if name in observation.reports}
    return len(files), unfinished_rotations(ROTATION_FILES, files)
