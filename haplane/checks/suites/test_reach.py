"""Every host of the inventory is reachable; the other suites skip those that are not."""

from __future__ import annotations

import pytest

from haplane.checks.fleet import Fleet
from haplane.config.model import Host


@pytest.fixture
def anyone(request: pytest.FixtureRequest) -> Host:
    """A host of the inventory, reachable or not."""
    host: Host = request.param
    return host


def test_reachable(fleet: Fleet, anyone: Host) -> None:
    """Reachable over SSH."""
    assert anyone.name not in fleet.unreachable, fleet.unreachable[anyone.name]
