"""Pods that do not reach API servers, though the nodes do: packets to a master's own address meet other rules.

What uses the API from a pod, CoreDNS and flannel among it, runs on with what it had, and is Ready.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from haplane.domain.observed import Kubernetes, Observation
from haplane.domain.plan import few
from haplane.domain.pod_network_report import PodNetwork, Unreached
from haplane.domain.problem import Problem, problem
from haplane.domain.status.dns import ask_kube_proxy, is_explained, look_at
from haplane.domain.status.model import Roster
from haplane.domain.steps.pod_network import ready_nodes

Lost = dict[str, list[Unreached]]
"""By node."""


def api_path_problems(roster: Roster, observation: Observation, kubernetes: Kubernetes | None) -> list[Problem]:
    """By master, then by node. A node whose pods do not reach cluster DNS either has a line for that.

    With another pod network than flannel its policies may keep pods from the API.
    """
    reports = observation.reports
    names = ready_nodes((*roster.masters, *roster.workers), reports, kubernetes) if roster.own_pod_network else ()
    asked = [
        name
        for name in names
        if _reaches_dns(reports[name].pod_network) and not is_explained(name, roster, reports, kubernetes)
    ]
    lost = {name: list(reports[name].pod_network.unreached) for name in asked}
    return [*_of_masters(roster, observation, lost), *_of_service(roster, lost)]


def _reaches_dns(seen: PodNetwork) -> bool:
    from_pods = [answer for answer in seen.dns if answer.from_pod]
    return bool(from_pods) and all(answer.reached for answer in from_pods)


def _of_masters(roster: Roster, observation: Observation, lost: Lost) -> Iterator[Problem]:
    """Where pods of most nodes do not reach a master, what drops their packets is there."""
    masters = {roster.addresses[name]: name for name in observation.with_ready_apiserver(roster.masters)}
    by_master: dict[str, list[str]] = defaultdict(list)
    whys: dict[tuple[str, str], str] = {}
    for node, places in lost.items():
        for place in places:
            if place.address in masters:
                by_master[masters[place.address]].append(node)
                whys[masters[place.address], node] = f"{place.address}:{place.port}: {place.why}"
    by_node: dict[str, list[str]] = defaultdict(list)
    for master, nodes in by_master.items():
        if len(nodes) > 1 and 2 * len(nodes) > len(lost):
            what = f"{master}: pods on {few(nodes)} do not reach its API server: requests of pods fail"
            yield problem(what, why=whys[master, nodes[0]], fix=look_at(master))
        else:
            for node in nodes:
                by_node[node].append(master)
    for node, unreached in by_node.items():
        what = f"{node}: its pods do not reach the API server of {few(unreached)}: requests of pods fail"
        yield problem(what, why=whys[unreached[0], node], fix=look_at(node))


def _of_service(roster: Roster, lost: Lost) -> Iterator[Problem]:
    """Where the API servers behind it are reached."""
    masters = {roster.addresses[name] for name in roster.masters}
    for node, places in lost.items():
        if any(place.address in masters for place in places):
            continue
        for place in places:
            what = f"{node}: its pods do not reach the service kubernetes at {place.address}: requests of pods fail"
            yield problem(what, why=f"{place.why}, though API servers are reached", fix=ask_kube_proxy(node))
