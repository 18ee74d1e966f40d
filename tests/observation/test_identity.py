"""Keys that are read back from a master are those that the masters reported, or nothing is written."""

import hashlib

import pytest
import samples
from contexts import FakeExecutor, context_of

from haplane.errors import Refused
from haplane.observation.identity import identity

INVENTORY = samples.inventory()
FILES = samples.identity().to_files()


def context_with(held):
    """Masters report the digests of the true identity; ``held`` is what each of them hands out when asked."""
    observation = samples.converged(INVENTORY)
    for host in INVENTORY.masters:
        files = observation.reports[host.name].model_dump()["files"]
        digests = {path: hashlib.sha256(content).hexdigest() for path, content in FILES.items()}
        files |= {path: {"sha256": digest, "mode": 0o600, "user_id": 0} for path, digest in digests.items()}
        observation = samples.altered(observation, host.name, files=files)
    executor = FakeExecutor()
    executor.read_files = lambda host, paths: {path: held(host.name)[path] for path in paths}
    return context_of(INVENTORY, observation, executor=executor)


def test_the_identity_is_read_back():
    assert identity(context_with(lambda name: FILES)) == samples.identity()


def test_keys_that_are_not_as_reported_are_refused():
    path = min(FILES)
    with pytest.raises(Refused, match="m1 holds other keys than it reported") as refusal:
        identity(context_with(lambda name: FILES | {path: b"another"}))
    assert path in refusal.value.where
