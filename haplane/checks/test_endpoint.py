"""The API: through the endpoint and past it, and what it tells strangers."""

from __future__ import annotations

import http.client
import ssl

import pytest

from haplane.checks.fleet import Fleet, Machine
from haplane.checks.questions import CA, CLOSED_PATHS, OPEN_PATHS
from haplane.config.model import Endpoint, Inventory

SECONDS = 5


def ready_from_here(endpoint: Endpoint, authority: str) -> int:
    """The status of the endpoint's /readyz, asked from this machine. Raises OSError, or an HTTP or TLS error."""
    context = ssl.create_default_context(cadata=authority)
    connection = http.client.HTTPSConnection(endpoint.address, endpoint.port, timeout=SECONDS, context=context)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    finally:
        connection.close()


def test_endpoint_from_here(inventory: Inventory, fleet: Fleet) -> None:
    """Ready, asked from this machine."""
    held = [machine.survey.certificates.get(CA) for machine in fleet.machines.values()]
    authority = next((pem for pem in held if pem is not None), None)
    assert authority is not None, "no host that answers holds the cluster's authority"
    answered = [machine for machine in fleet.machines.values() if ready_from(machine)]
    try:
        status = ready_from_here(inventory.cluster.endpoint, authority)
    except ssl.SSLError as error:
        pytest.fail(f"{inventory.cluster.endpoint}: {error.reason or error}")
    except (OSError, http.client.HTTPException) as error:
        if answered:
            pytest.skip(f"it cannot be reached from this machine ({error}); it answers from {answered[0].name}")
        pytest.fail(f"{inventory.cluster.endpoint}: {error}")
    assert status == 200, f"/readyz: HTTP {status}"


def ready_from(machine: Machine) -> bool:
    """Whether the endpoint was ready when that host asked."""
    answer = machine.survey.requests.get("endpoint")
    return answer is not None and answer.status == 200


def test_endpoint_from_nodes(node: Machine) -> None:
    """Ready, asked from a node."""
    answer = node.survey.requests["endpoint"]
    assert answer.status == 200, f"/readyz: {answer}"


def test_one_holder(inventory: Inventory, fleet: Fleet) -> None:
    """The floating address is held exactly once."""
    if not inventory.balancer_hosts:
        pytest.skip("the endpoint is not haplane's")
    address = inventory.cluster.endpoint.address
    holders = [machine.name for machine in fleet.machines.values() if address in machine.survey.addresses]
    strangers = set(holders) - {host.name for host in inventory.balancer_hosts}
    assert len(holders) == 1, f"{address} is held by {', '.join(holders) or 'nobody that answers'}"
    assert not strangers, f"{address} is held by {', '.join(strangers)}, which is no load balancer"


def test_every_apiserver(node: Machine, inventory: Inventory) -> None:
    """Every API server is ready at its own address."""
    answers = {master.name: node.survey.requests[f"apiserver {master.name}"] for master in inventory.masters}
    problems = [f"{name}: {answer}" for name, answer in answers.items() if answer.status != 200]
    assert not problems, "\n".join(problems)


def test_strangers(master: Machine) -> None:
    """Strangers get health and cluster-info, else 401."""
    wanted = dict.fromkeys(OPEN_PATHS, 200) | dict.fromkeys(CLOSED_PATHS, 401)
    answers = {path: master.survey.requests[f"anonymous {path}"] for path in wanted}
    problems = [f"{path}: {answer}" for path, answer in answers.items() if answer.status != wanted[path]]
    assert not problems, "\n".join(problems)
