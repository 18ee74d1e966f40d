"""Whether a pod's replacement could be scheduled on another node, as the scheduler's filters decide. Pure.

Of those filters: readiness, cordons, taints, node selector and affinity, where its volumes are, host ports, required
affinity and anti-affinity between pods, and room. Not: topology spread, preemption, and scheduler plug-ins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from haplane.domain.drain.api import NodeSelector
from haplane.domain.drain.cluster import NodeObject, Workloads
from haplane.domain.drain.pod import Pod, PodTerm

NO_SCHEDULE = ("NoSchedule", "NoExecute")


class Placement:
    """The nodes that stay, and what is left on them. Placing a pod takes its room away from the next.

    ``without`` names nodes that are taken out of service themselves; ``leaving`` are the uids of pods that go.
    """

    def __init__(self, workloads: Workloads, without: Collection[str], leaving: Collection[str]) -> None:
        self._nodes = [node for node in workloads.nodes if node.metadata.name not in without]
        self._claims, self._volumes = workloads.claims_by_name, workloads.volumes_by_name
        self._pods: dict[str, list[Pod]] = {node.metadata.name: [] for node in self._nodes}
        for pod in workloads.pods:
            if not pod.ended and pod.metadata.uid not in leaving:
                self._pods.setdefault(pod.spec.node_name, []).append(pod)
        self._labels = {node.metadata.name: node.metadata.labels for node in workloads.nodes}
        self._free = {node.metadata.name: self._room(node) for node in self._nodes}

    def place(self, pod: Pod) -> str | None:
        """None once room for the pod was found and taken; else why no node would take it."""
        refusals: Counter[str] = Counter()
        for node in self._nodes:
            why = self._refusal(pod, node)
            if why is None:
                for resource, amount in requests(pod).items():
                    self._free[node.metadata.name][resource] = self._free[node.metadata.name][resource] - amount
                return None
            refusals[why] += 1
        if not self._nodes:
            return "there is no other node"
        return "; ".join(f"{few_nodes(count)}: {why}" for why, count in refusals.most_common(3))

    def _room(self, node: NodeObject) -> dict[str, int]:
        free = dict(node.status.allocatable)
        for pod in self._pods[node.metadata.name]:
            for resource, amount in requests(pod).items():
                if resource in free:
                    free[resource] -= amount
        return free

    def _refusal(self, pod: Pod, node: NodeObject) -> str | None:
        """The first reason why this node would not take it."""
        if not node.ready:
            return "not Ready"
        if node.spec.unschedulable:
            return "cordoned"
        for taint in node.spec.taints:
            if taint.effect in NO_SCHEDULE and not taint.tolerated_by(pod.spec.tolerations):
                return f"taint {taint.key} not tolerated"
        return self._selected(pod, node) or self._between_pods(pod, node) or self._lacks(pod, node)

    def _selected(self, pod: Pod, node: NodeObject) -> str | None:
        labels = node.metadata.labels
        if not pod.spec.node_selector.items() <= labels.items():
            return "node selector does not match"
        required = pod.spec.affinity.node_affinity.required_during_scheduling_ignored_during_execution
        if required is not None and not selects(required, node):
            return "node affinity does not match"
        for volume in pod.spec.volumes:
            if volume.persistent_volume_claim is None:
                continue
            claim = self._claims.get(f"{pod.metadata.namespace}/{volume.persistent_volume_claim.claim_name}")
            found = self._volumes.get(claim.spec.volume_name) if claim else None
            where = found.spec.node_affinity.required if found else None
            if where is not None and not selects(where, node):
                return f"volume {volume.name} is not available there"
        return None

    def _between_pods(self, pod: Pod, node: NodeObject) -> str | None:
        name = node.metadata.name
        if taken := host_ports(pod) & {port for other in self._pods[name] for port in host_ports(other)}:
            return f"host port {min(taken)[1]} is in use"
        affinity = pod.spec.affinity
        for term in affinity.pod_anti_affinity.required_during_scheduling_ignored_during_execution:
            if any(term_selects(term, pod, other) for other in self._beside(name, term.topology_key)):
                return "pod anti-affinity"
        for term in affinity.pod_affinity.required_during_scheduling_ignored_during_execution:
            beside = any(term_selects(term, pod, other) for other in self._beside(name, term.topology_key))
            if not beside and not self._first_of_its_kind(term, pod):
                return "pod affinity"
        return None

    def _first_of_its_kind(self, term: PodTerm, pod: Pod) -> bool:
        """It selects itself and nobody else is there: the scheduler lets the first one in."""
        others = (other for pods in self._pods.values() for other in pods)
        return term_selects(term, pod, pod) and not any(term_selects(term, pod, other) for other in others)

    def _beside(self, node: str, topology: str) -> Iterable[Pod]:
        place = self._labels[node].get(topology)
        if topology == "kubernetes.io/hostname" or place is None:
            yield from self._pods[node] if topology == "kubernetes.io/hostname" else ()
            return
        for other, labels in self._labels.items():
            if labels.get(topology) == place:
                yield from self._pods.get(other, ())

    def _lacks(self, pod: Pod, node: NodeObject) -> str | None:
        free = self._free[node.metadata.name]
        short = [resource for resource, amount in requests(pod).items() if amount > free.get(resource, 0)]
        return f"no room left ({', '.join(sorted(short))})" if short else None


def few_nodes(count: int) -> str:
    """A number of nodes in words."""
    return "1 node" if count == 1 else f"{count} nodes"


def requests(pod: Pod) -> Mapping[str, int]:
    """What the scheduler counts for a pod, by resource, in thousandths: the pod itself is one."""
    besides = [one.resources.requests for one in pod.spec.init_containers if one.restart_policy == "Always"]
    before = [one.resources.requests for one in pod.spec.init_containers if one.restart_policy != "Always"]
    running = _sum([*(one.resources.requests for one in pod.spec.containers), *besides])
    total = Counter(running)
    for one in before:
        total |= Counter(_sum([one, *besides]))
    return {"pods": 1000, **_sum([total, pod.spec.overhead])}


def _sum(many: Sequence[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in many:
        for resource, amount in one.items():
            if amount > 0:
                found[resource] = found.get(resource, 0) + amount
    return found


def selects(selector: NodeSelector, node: NodeObject) -> bool:
    """Whether one of the terms matches the node."""
    fields = {"metadata.name": node.metadata.name}
    return any(
        (term.match_expressions or term.match_fields)
        and all(one.holds(node.metadata.labels) for one in term.match_expressions)
        and all(one.holds(fields) for one in term.match_fields)
        for term in selector.node_selector_terms
    )


def term_selects(term: PodTerm, pod: Pod, other: Pod) -> bool:
    """Whether the term of ``pod`` selects ``other``. A selector of namespaces is taken for all of them."""
    named = term.namespaces or (() if term.namespace_selector is not None else (pod.metadata.namespace,))
    in_scope = other.metadata.namespace in named or term.namespace_selector is not None
    return in_scope and term.label_selector is not None and term.label_selector.matches(other.metadata.labels)


def host_ports(pod: Pod) -> set[tuple[str, int]]:
    """Protocol and number of each."""
    ports = (port for container in pod.spec.containers for port in container.ports)
    return {(port.protocol, port.host_port) for port in ports if port.host_port}
