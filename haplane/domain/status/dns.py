"""Nodes and pods that do not reach cluster DNS though all of it is Ready: by who asked whom, and what came back.

A host is believed about itself alone. What CoreDNS, or another node, does wrong is what most of those report that
asked it. Nodes on which something is known to be in the way are left out: that has a line of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from haplane.domain.consensus import agreed_view
from haplane.domain.findings import Findings
from haplane.domain.observed import HostReport, Kubernetes, Observation, views_of
from haplane.domain.plan import few
from haplane.domain.pod_network_report import DnsAnswer
from haplane.domain.problem import Problem, on, problem
from haplane.domain.status.findings import DNS
from haplane.domain.status.model import Roster
from haplane.domain.status.nodes import EDIT_COREFILE
from haplane.domain.steps.pod_network import is_in, lost_on, ready_nodes

COREDNS = "coredns"
CARRIERS = ("/services/kube-dns", "/daemonsets/kube-proxy", "/configmaps/kube-proxy")
"""Ends of the paths of the objects by which a packet to the service gets to a pod."""
LOGS = "logs --selector=k8s-app=kube-dns --prefix --tail=50"


@dataclass(frozen=True)
class Asked:
    """Who asked which pod of CoreDNS on which node, and what came back. ``on`` is "" where its node is not known."""

    node: str
    on: str
    answer: DnsAnswer


def dns_path_problems(
    roster: Roster, observation: Observation, kubernetes: Kubernetes | None, findings: Findings | None
) -> list[Problem]:
    """By CoreDNS' pod, then by node; those that depend on each other are one line."""
    listed = findings.endpoints.get(DNS, ()) if findings else ()
    names = ready_nodes((*roster.masters, *roster.workers), observation.reports, kubernetes)
    fit = [name for name in names if not is_explained(name, roster, observation.reports, kubernetes)]
    where = _nodes_of(listed, kubernetes)
    asked = [
        Asked(name, where.get(answer.address, ""), answer)
        for name in fit
        for answer in observation.reports[name].pod_network.dns
        if roster.own_pod_network or not answer.from_pod
    ]
    pods = [
        one
        for one in asked
        if not one.answer.service and one.answer.address in listed and (one.on in fit or one.on not in names)
    ]
    unresolved, blamed = _unresolved(pods, roster), _blamed(pods)
    if unresolved:
        return unresolved
    of_service = list(_of_service(asked, pods)) if listed else []
    if of_service and _is_explained_for_all(roster, observation, findings):
        of_service = []
    return [
        *_of_pods(pods, blamed),
        *_of_nodes([one for one in pods if one.answer.address not in blamed]),
        *of_service,
    ]


def is_explained(name: str, roster: Roster, reports: Mapping[str, HostReport], kubernetes: Kubernetes | None) -> bool:
    """Whether something is known to be in the way on that node, which has a line of its own."""
    seen = reports[name].precedence
    lost = lost_on(name, roster.tables, reports, kubernetes, tunnel=roster.pod_tunnel)
    return bool(lost or seen.forward or seen.kernel or reports[name].condition.stopped_of(COREDNS))


def _is_explained_for_all(roster: Roster, observation: Observation, findings: Findings | None) -> bool:
    """Whether the service itself, or what carries it, is known not to be haplane's: `up` puts those right first."""
    view = agreed_view(views_of(observation.of(roster.masters)))
    touched = (*view.missing, *view.edited) if view else ()
    return bool(findings and findings.dns_is_displaced) or any(path.endswith(CARRIERS) for path in touched)


def _nodes_of(addresses: tuple[str, ...], kubernetes: Kubernetes | None) -> Mapping[str, str]:
    """Address of a pod -> the node that it is on."""
    found: dict[str, str] = {}
    for node in kubernetes.nodes if kubernetes else ():
        network = IPv4Network(node.pod_network) if node.pod_network else None
        found |= {one: node.name for one in addresses if network and is_in(one, network)}
    return found


def _unresolved(pods: list[Asked], roster: Roster) -> list[Problem]:
    """CoreDNS answers most of those that reach it, and with no address for the name that every cluster has."""
    reached = [one for one in pods if one.answer.reached]
    without = [one for one in reached if one.answer.why]
    if 2 * len({one.node for one in without}) <= len({one.node for one in reached}):
        return []
    name = f"kubernetes.default.svc.{roster.dns_domain}"
    block = f"its Corefile has to have the block `kubernetes {roster.dns_domain} ...` as kubeadm writes it"
    return [
        problem(
            f"CoreDNS does not resolve {name}: pods do not find services by name",
            why=f"{few(sorted({one.answer.address for one in without}))}: {without[0].answer.why}",
            fix=f"{EDIT_COREFILE}: {block}; or see `kubectl --namespace=kube-system {LOGS}`",
        )
    ]


def _blamed(pods: list[Asked]) -> dict[str, list[Asked]]:
    """Address -> who did not reach it, where that is most of several other nodes that asked."""
    found = {}
    for address in sorted({one.answer.address for one in pods}):
        others = [one for one in pods if one.answer.address == address and one.on != one.node]
        failed = [one for one in others if not one.answer.reached]
        nodes = {one.node for one in others}
        if len(nodes) > 1 and 2 * len({one.node for one in failed}) > len(nodes):
            found[address] = failed
    return found


def _of_pods(pods: list[Asked], blamed: Mapping[str, list[Asked]]) -> Iterator[Problem]:
    for address, failed in blamed.items():
        node, from_nodes = failed[0].on, few(sorted({one.node for one in failed}))
        why = failed[0].answer.why
        beside = [one for one in pods if one.answer.address == address and one.node == node]
        if node and any(one.answer.reached for one in beside):
            yield problem(
                f"{node}: other nodes do not reach pods there",
                why=f"CoreDNS at {address} receives no queries from {from_nodes}: {why}",
                fix=look_at(node),
            )
        else:
            at = f"on {node or 'an unknown node'}"
            yield problem(
                f"the CoreDNS pod {address} {at} is Ready, but does not answer queries",
                why=f"{from_nodes}: {why}",
                fix=f"{look_at(node)}; or see `kubectl --namespace=kube-system {LOGS}`"
                if node
                else f"`kubectl --namespace=kube-system {LOGS}` shows what it does",
            )


def _of_nodes(pods: list[Asked]) -> Iterator[Problem]:
    failed: dict[str, list[Asked]] = defaultdict(list)
    for one in pods:
        if not one.answer.reached:
            failed[one.node].append(one)
    for node, lost in failed.items():
        who = _who({one.answer.from_pod for one in lost})
        targets = sorted({f"{one.answer.address}{f' on {one.on}' if one.on else ''}" for one in lost})
        yield problem(
            f"{node}: {who} do{'es' if who == 'the host' else ''} not reach CoreDNS at {few(targets)}",
            why=lost[0].answer.why,
            fix=look_at(node),
        )


def _of_service(asked: list[Asked], pods: list[Asked]) -> Iterator[Problem]:
    """Where the pods are reached, or not asked."""
    for one in asked:
        beside = [pod for pod in pods if (pod.node, pod.answer.from_pod) == (one.node, one.answer.from_pod)]
        named = beside and not any(pod.answer.reached for pod in beside)
        resolved = any(not pod.answer.why for pod in beside)
        told_by_host = one.answer.from_pod and any(
            other.node == one.node and other.answer.service and not other.answer.from_pod and other.answer.why
            for other in asked
        )
        if not one.answer.service or not one.answer.why or named or told_by_host:
            continue
        yield problem(
            f"{one.node}: cluster DNS does not answer {_who({one.answer.from_pod})} at its service address "
            f"{one.answer.address}",
            why=f"{one.answer.why}{', though CoreDNS pods answer' if resolved else ''}",
            fix=look_at(one.node) if one.answer.from_pod else ask_kube_proxy(one.node),
        )


def ask_kube_proxy(node: str) -> str:
    """For a host that does not reach a service itself; what is in the way of its pods alone is before that."""
    logs = f"logs --selector=k8s-app=kube-proxy --field-selector=spec.nodeName={node} --tail=50"
    shown = on(node, "nft list table ip kube-proxy")
    return f"see what kube-proxy does there: `kubectl --namespace=kube-system {logs}`, and {shown}"


def _who(from_pods: set[bool]) -> str:
    if len(from_pods) > 1:
        return "it and its pods"
    return "its pods" if True in from_pods else "the host"


def look_at(node: str) -> str:
    """What shows what is in the way there."""
    shown = on(node, "nft list ruleset; ip -4 route; ip -br link")
    return f"see what drops packets or which route is missing: {shown}"
