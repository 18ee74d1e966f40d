"""Fixtures of the suites: the inventory, every host's facts, and one host at a time by role.

A test that takes ``machine``, ``master``, ``member``, ``balancer`` or ``node`` runs once for each such host and is
skipped for unreachable hosts: the suite `reach` reports those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from haplane.bundle.manifest import Manifest
from haplane.checks.fleet import Fleet, Machine, bundle_of, from_json, gather_fleet
from haplane.checks.plugin import loaded
from haplane.config.model import Host, Inventory
from haplane.errors import BadInput

ROLES: Mapping[str, Callable[[Inventory], tuple[Host, ...]]] = {
    "anyone": lambda inventory: inventory.hosts,
    "machine": lambda inventory: inventory.hosts,
    "master": lambda inventory: inventory.masters,
    "member": lambda inventory: inventory.etcd,
    "balancer": lambda inventory: inventory.balancer_hosts,
    "node": lambda inventory: inventory.nodes,
}
UNREACHABLE = "the host is unreachable"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each host of the role it names."""
    for role, hosts_of in ROLES.items():
        if role in metafunc.fixturenames:
            hosts = hosts_of(loaded(metafunc.config))
            metafunc.parametrize(role, hosts, ids=[host.name for host in hosts], indirect=True)


@pytest.fixture(scope="session")
def inventory(pytestconfig: pytest.Config) -> Inventory:
    """The inventory of the cluster under check."""
    return loaded(pytestconfig)


@pytest.fixture(scope="session")
def optional_manifest(inventory: Inventory) -> Manifest | BadInput:
    """The bundle's manifest, or why there is none on this machine."""
    return bundle_of(inventory)


@pytest.fixture
def manifest(optional_manifest: Manifest | BadInput) -> Manifest:
    """The bundle's manifest; without one the check is skipped."""
    if isinstance(optional_manifest, BadInput):
        pytest.skip(f"{optional_manifest.what}: {optional_manifest.where}; next: {optional_manifest.next_step}")
    return optional_manifest


@pytest.fixture(scope="session")
def fleet(inventory: Inventory, pytestconfig: pytest.Config) -> Fleet:
    """All hosts' facts: those that `haplane verify` has gathered, or gathered now."""
    facts: Path | None = pytestconfig.getoption("facts")
    return gather_fleet(inventory) if facts is None else from_json(inventory, facts.read_text(encoding="utf-8"))


def _by_role(fleet: Fleet, request: pytest.FixtureRequest) -> Machine:
    host: Host = request.param
    if host.name not in fleet.machines:
        pytest.skip(UNREACHABLE)
    return fleet.machines[host.name]


@pytest.fixture
def machine(fleet: Fleet, request: pytest.FixtureRequest) -> Machine:
    """Any host."""
    return _by_role(fleet, request)


@pytest.fixture
def master(fleet: Fleet, request: pytest.FixtureRequest) -> Machine:
    """A control-plane node."""
    return _by_role(fleet, request)


@pytest.fixture
def member(fleet: Fleet, request: pytest.FixtureRequest) -> Machine:
    """A host that runs an etcd member."""
    return _by_role(fleet, request)


@pytest.fixture
def balancer(fleet: Fleet, request: pytest.FixtureRequest) -> Machine:
    """A host that runs haproxy and keepalived."""
    return _by_role(fleet, request)


@pytest.fixture
def node(fleet: Fleet, request: pytest.FixtureRequest) -> Machine:
    """A host that runs a kubelet."""
    return _by_role(fleet, request)
