"""Services run now and after a reboot."""

from __future__ import annotations

from haplane.checks.expectations import expected_units
from haplane.checks.fleet import Machine
from haplane.config.model import Inventory


def test_services_run(machine: Machine, inventory: Inventory) -> None:
    """Active and enabled."""
    problems = []
    for name in expected_units(inventory, machine.host):
        unit = machine.facts.units.get(name)
        if unit is None:
            problems.append(f"{name} is not installed")
        elif (unit.active, unit.enabled) != ("active", "enabled"):
            problems.append(f"{name} is {unit.active} and {unit.enabled or 'not enabled'}")
    assert not problems, "\n".join(problems)


def test_haproxy_has_every_master_in_service(balancer: Machine, inventory: Inventory) -> None:
    """Haproxy has every master in service."""
    servers = balancer.facts.haproxy_servers
    assert servers is not None, "haproxy's admin socket does not answer"
    states = {server.name: server.status for server in servers if server.backend == "apiservers"}
    found = {master.name: states.get(master.name, "not configured in haproxy") for master in inventory.masters}
    # "UP 1/2" missed one check of two and is still in service.
    problems = [f"{name} is {state}" for name, state in found.items() if state.split()[0] != "UP"]
    assert not problems, "\n".join(problems)
