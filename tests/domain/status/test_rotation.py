"""An interrupted rotation of keys in `status`: named with the command that completes it, by what masters report."""

import pytest
import samples

from haplane.domain import host_paths
from haplane.domain.observed import Observation
from haplane.domain.status import passing_problems, summarise, summarise_certificates
from haplane.observation.health import roster

INVENTORY = samples.inventory(workers=1)
CONVERGED = samples.converged(INVENTORY)


def with_files(observation, name, added):
    found = observation.reports[name].model_dump(by_alias=True)["files"]
    return samples.altered(
        observation, name, files=found | {path: {"sha256": "0" * 64, "mode": 0o600, "user_id": 0} for path in added}
    )


def judged(observation: Observation):
    return summarise(
        roster(INVENTORY),
        observation,
        endpoint_answers=True,
        certificates=summarise_certificates([]),
        now=samples.NOW,
    )


@pytest.mark.parametrize("kind", host_paths.ROTATION_FILES)
def test_an_unfinished_rotation_is_named_with_the_command_that_completes_it(kind):
    observation = with_files(CONVERGED, "m3", host_paths.ROTATION_FILES[kind][:1])
    one = judged(observation)
    assert one.lines == (
        f"the rotation of the {kind} keys is not finished (m3 still has the new keys staged); "
        f"fix: `haplane keys rotate {INVENTORY.path} {kind}`",
    )
    two = judged(with_files(observation, "m1", host_paths.ROTATION_FILES[kind]))
    assert "(m1, m3 still have the new keys staged)" in two.lines[0]
    assert passing_problems(two, ()) == (), "nobody waits for what only a command completes"


def test_only_masters_are_believed_about_it():
    assert judged(CONVERGED).lines == ()
    assert judged(with_files(CONVERGED, "w1", host_paths.ROTATION_FILES["encryption"])).lines == ()
