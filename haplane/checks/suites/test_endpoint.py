"""The API: through the endpoint, at every API server, and what it serves without credentials."""

from __future__ import annotations

import http.client
import ssl

import pytest

from haplane.checks.expectations import CLOSED_PATHS, OPEN_PATHS
from haplane.checks.fleet import Fleet, Machine
from haplane.config.model import Endpoint, Inventory
from haplane.domain import host_paths
from haplane.facts.on_host.probe import TlsConnection

SECONDS = 5


def ready_from_here(endpoint: Endpoint, ca: str) -> int:
    """The HTTP status of the endpoint's /readyz from the controller. Raises OSError, or an HTTP or TLS error."""
    context = ssl.create_default_context(cadata=ca)
    connection = TlsConnection(endpoint.address, endpoint.port, timeout=SECONDS, context=context)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    finally:
        connection.close()


def test_endpoint_from_here(inventory: Inventory, fleet: Fleet) -> None:
    """Ready, seen from the controller."""
    held = [machine.facts.certificates.get(host_paths.KUBERNETES_CA_CRT) for machine in fleet.machines.values()]
    ca = next((pem for pem in held if pem is not None), None)
    assert ca is not None, "no reachable host has the cluster's CA certificate"
    answered = [machine for machine in fleet.machines.values() if ready_from(machine)]
    try:
        status = ready_from_here(inventory.cluster.endpoint, ca)
    except ssl.SSLError as error:
        pytest.fail(f"{inventory.cluster.endpoint}: {error.reason or error}")
    except (OSError, http.client.HTTPException) as error:
        if answered:
            pytest.skip(f"unreachable from the controller ({error}), but ready from {answered[0].name}")
        pytest.fail(f"{inventory.cluster.endpoint}: {error}")
    assert status == 200, f"/readyz: HTTP {status}"


def ready_from(machine: Machine) -> bool:
    """Whether the endpoint was ready from that host."""
    answer = machine.facts.requests.get("endpoint")
    return answer is not None and answer.status == 200


def test_endpoint_from_nodes(node: Machine) -> None:
    """Ready, seen from a node."""
    answer = node.facts.requests["endpoint"]
    assert answer.status == 200, f"/readyz: {answer}"


def test_one_holder(inventory: Inventory, fleet: Fleet) -> None:
    """The floating address is held exactly once."""
    if not inventory.balancer_hosts:
        pytest.skip("the endpoint is not managed by haplane")
    address = inventory.cluster.endpoint.address
    holders = [machine.name for machine in fleet.machines.values() if address in machine.facts.addresses]
    others = set(holders) - {host.name for host in inventory.balancer_hosts}
    assert len(holders) == 1, f"{address} is held by {', '.join(holders) or 'no reachable host'}"
    assert not others, f"{address} is held by {', '.join(sorted(others))}, which is not a load balancer"


def test_every_apiserver(node: Machine, inventory: Inventory) -> None:
    """Every API server is ready at its own address."""
    answers = {master.name: node.facts.requests[f"apiserver {master.name}"] for master in inventory.masters}
    problems = [f"{name}: {answer}" for name, answer in answers.items() if answer.status != 200]
    assert not problems, "\n".join(problems)


def test_anonymous_requests(master: Machine) -> None:
    """Anonymous requests get health and cluster-info, everything else is 401."""
    wanted = dict.fromkeys(OPEN_PATHS, 200) | dict.fromkeys(CLOSED_PATHS, 401)
    answers = {path: master.facts.requests[f"anonymous {path}"] for path in wanted}
    problems = [f"{path}: {answer}" for path, answer in answers.items() if answer.status != wanted[path]]
    assert not problems, "\n".join(problems)
