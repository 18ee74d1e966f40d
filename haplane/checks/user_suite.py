"""The pytest plugin for users' suites: testinfra's ``host``, once for each host of the inventory.

A module may choose hosts as with plain testinfra: ``testinfra_hosts = ["masters", "lb1"]``, names or groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest
import testinfra.host

from haplane.checks.connection import connect
from haplane.checks.plugin import loaded
from haplane.config.model import Host, Inventory

GROUPS: Mapping[str, Callable[[Inventory], tuple[Host, ...]]] = {
    "masters": lambda inventory: inventory.masters,
    "etcd": lambda inventory: inventory.etcd,
    "load_balancers": lambda inventory: inventory.balancer_hosts,
    "workers": lambda inventory: inventory.workers,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each host that its module chooses."""
    if "host" in metafunc.fixturenames:
        chosen = getattr(metafunc.module, "testinfra_hosts", None)
        hosts = chosen_hosts(loaded(metafunc.config), chosen)
        metafunc.parametrize("host", hosts, ids=[host.name for host in hosts], indirect=True, scope="module")


def chosen_hosts(inventory: Inventory, chosen: Sequence[str] | None) -> tuple[Host, ...]:
    """The hosts of these names and groups in the inventory's order, all for None. Raises ValueError for others."""
    if chosen is None:
        return inventory.hosts
    names = {host.name for host in inventory.hosts}
    if unknown := [name for name in chosen if name not in names and name not in GROUPS]:
        known = ", ".join([*GROUPS, *sorted(names)])
        raise ValueError(f"testinfra_hosts names {', '.join(unknown)}; the inventory has {known}")
    wanted = {host.name for group in chosen if group in GROUPS for host in GROUPS[group](inventory)} | set(chosen)
    return tuple(host for host in inventory.hosts if host.name in wanted)


@pytest.fixture(scope="module")
def host(request: pytest.FixtureRequest) -> testinfra.host.Host:
    """A testinfra host over the same SSH settings as haplane's own checks, as root."""
    chosen: Host = request.param
    if chosen.name in request.config.getoption("unreachable"):
        pytest.skip("the host is unreachable")
    return connect(chosen)
