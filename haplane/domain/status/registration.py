"""Nodes that are Ready and not registered as they should be: what is meant for their pods goes elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from haplane.domain.misled import misled
from haplane.domain.observed import Kubernetes, Observation
from haplane.domain.plan import few
from haplane.domain.problem import UP, Ends, Problem, on, problem, word
from haplane.domain.status.model import Roster

FREE = '--type=merge --patch=\'{"metadata":{"finalizers":null}}\''


def registration_problems(roster: Roster, observation: Observation, kubernetes: Kubernetes | None) -> list[Problem]:
    """Hosts without their address, then Nodes."""
    return [*_lost_addresses(roster, observation), *_nodes(roster, kubernetes)]


def _lost_addresses(roster: Roster, observation: Observation) -> Iterator[Problem]:
    """What runs there listens at an address that nobody reaches any more."""
    elsewhere = misled(roster.addresses, observation.reports)
    for name, address in roster.addresses.items():
        report = observation.reports.get(name)
        if report is None or name in elsewhere or not report.is_without(address):
            continue
        others = [one for found in report.addresses.values() for one in found if not one.startswith("127.")]
        yield problem(
            f"{name}: no interface has its address {address}",
            why=f"it has {few(others) or 'none'}",
            fix=f"give it back: {on(name, f'ip address add {address}/PREFIX dev INTERFACE')}, and in the network's "
            "configuration",
        )


def _nodes(roster: Roster, kubernetes: Kubernetes | None) -> Iterator[Problem]:
    networks: dict[str, list[str]] = defaultdict(list)
    for node in kubernetes.nodes if kubernetes else ():
        if node.pod_network:
            networks[node.pod_network].append(node.name)
        if node.deleted:
            yield problem(
                f"{node.name}: its Node was deleted, and finalizers hold it",
                why="it goes as soon as they do, whatever runs there",
                fix=f"`kubectl patch node {word(node.name)} {FREE}`, then {UP}",
                needs=[node.name],
            )
        wanted = roster.addresses.get(node.name)
        if node.ready and wanted and node.address and node.address != wanted:
            yield problem(
                f"{node.name}: its Node has the address {node.address}, the inventory {wanted}",
                why="its kubelet was started with another one",
                fix=f"{on(node.name, 'systemctl cat kubelet')} shows by what: remove it, then {UP}",
                needs=[node.name],
            )
    for network, names in networks.items():
        if len(names) > 1:
            yield problem(
                f"{few(names)}: their pods get addresses of the same network {network}",
                why="a Node was created with another's podCIDR: packets for its pods arrive at the other",
                fix=f"drain {names[-1]}, `kubectl delete node {word(names[-1])}`, then {UP}",
                ends=Ends.BY_ITS_FIX,
            )
