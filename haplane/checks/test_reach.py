"""Every host of the inventory answers; whoever does not is left out of the other suites."""

from __future__ import annotations

import pytest

from haplane.checks.fleet import Fleet
from haplane.config.model import Host


@pytest.fixture
def anyone(request: pytest.FixtureRequest) -> Host:
    """A host of the inventory, whether it answers or not."""
    host: Host = request.param
    return host


def test_answers(fleet: Fleet, anyone: Host) -> None:
    """Answers over SSH."""
    assert anyone.name not in fleet.silent, fleet.silent[anyone.name]
