"""Whether a pod's replacement could be scheduled on another node, as the scheduler's filters decide. Pure.

Of those filters: readiness, cordons, taints, node selector and affinity, where its volumes are, host ports, required
affinity and anti-affinity between pods, required topology spread, and room. Not: devices of resource claims, and
scheduler plug-ins. Preemption makes no room here, because it would end other pods: it is named where it may.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from haplane.domain.drain.api import NodeSelector
from haplane.domain.drain.cluster import NodeObject, Workloads
from haplane.domain.drain.pod import Pod, PodTerm, Port, Spread
from haplane.domain.drain.spread import overfull, required

NO_SCHEDULE = ("NoSchedule", "NoExecute")


class Placement:
    """The nodes that stay, and what is left on them. Placing a pod takes its room away from the next.

    ``without`` names nodes that are taken out of service themselves; ``leaving`` are the uids of pods that go.
    """

    def __init__(self, workloads: Workloads, without: Collection[str], leaving: Collection[str]) -> None:
        self._everywhere, self._without = workloads.nodes, without
        self._nodes = [node for node in workloads.nodes if node.metadata.name not in without]
        self._claims, self._volumes = workloads.claims_by_name, workloads.volumes_by_name
        self._pods: dict[str, list[Pod]] = {node.metadata.name: [] for node in self._nodes}
        for pod in workloads.pods:
            if not pod.ended and pod.metadata.uid not in leaving:
                self._pods.setdefault(pod.spec.node_name, []).append(pod)
        self._labels = {node.metadata.name: node.metadata.labels for node in workloads.nodes}
        self._free = {node.metadata.name: self._room(node) for node in self._nodes}
        self._apart: list[tuple[str, Pod, PodTerm]] = []
        for name in self._pods.keys() & self._labels.keys():
            for pod in self._pods[name]:
                self._keep_apart(name, pod)

    def place_all(self, pods: Iterable[Pod]) -> dict[str, str | None]:
        """By uid, what :meth:`place` returns for each, the largest first.

        Those that were refused are tried again while others find a place: they may have to run beside them.
        """
        left = sorted(pods, key=lambda pod: -max(requests(pod).values()))
        found: dict[str, str | None] = {}
        before = len(left) + 1
        while len(left) < before:
            before = len(left)
            found |= {pod.metadata.uid: self.place(pod) for pod in left}
            left = [pod for pod in left if found[pod.metadata.uid] is not None]
        return found

    def place(self, pod: Pod) -> str | None:
        """None once room for the pod was found and taken; else why no node would take it."""
        refusals: Counter[str] = Counter()
        crowded = self._crowded(pod)
        for node in self._nodes:
            there = (crowded[label] for label in node.metadata.labels.items() if label in crowded)
            why = self._refusal(pod, node) or next(there, None) or self._lacks(pod, node)
            if why is None:
                self._take(pod, node.metadata.name)
                return None
            refusals[why] += 1
        if not self._nodes:
            return "there is no other node"
        return "; ".join(f"{few_nodes(count)}: {why}" for why, count in refusals.most_common(3))

    def _take(self, pod: Pod, node: str) -> None:
        for resource, amount in requests(pod).items():
            self._free[node][resource] -= amount
        self._pods[node].append(pod)
        self._keep_apart(node, pod)

    def _keep_apart(self, node: str, pod: Pod) -> None:
        terms = pod.spec.affinity.pod_anti_affinity.required_during_scheduling_ignored_during_execution
        self._apart += [(node, pod, term) for term in terms]

    def _crowded(self, pod: Pod) -> dict[tuple[str, str], str]:
        """Labels of nodes that refuse it for the pods that are there, and why."""
        found = {
            (term.topology_key, self._labels[node].get(term.topology_key, "")): "anti-affinity of a pod there"
            for node, other, term in self._apart
            if term_selects(term, other, pod)
        }
        for spread in required(pod):
            compared = [node for node in self._everywhere if self._is_compared(pod, node, spread)]
            values = overfull(pod, spread, compared, self._pods)
            found |= {(spread.topology_key, value): "topology spread" for value in values}
        return found

    def _is_compared(self, pod: Pod, node: NodeObject, spread: Spread) -> bool:
        if spread.node_affinity_policy == "Honor" and _unselected(pod, node):
            return False
        return spread.node_taints_policy != "Honor" or not (
            node.metadata.name in self._without or node.spec.unschedulable or _taint(pod, node)
        )

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
        if taint := _taint(pod, node):
            return f"taint {taint} not tolerated"
        if missing := [one.topology_key for one in required(pod) if one.topology_key not in node.metadata.labels]:
            return f"no label {missing[0]} for its topology spread"
        return _unselected(pod, node) or self._without_volume(pod, node) or self._between_pods(pod, node)

    def _without_volume(self, pod: Pod, node: NodeObject) -> str | None:
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
        own = host_ports(pod)
        taken = [port for other in self._pods[name] for port in host_ports(other)] if own else []
        if clashing := [port.host_port for port in own if any(map(port.clashes_with, taken))]:
            return f"host port {min(clashing)} is in use"
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
        wanted = requests(pod)
        short = [resource for resource, amount in wanted.items() if amount > free.get(resource, 0)]
        if not short:
            return None
        preempted = [requests(other) for other in self._pods[node.metadata.name] if _may_preempt(pod, other)]
        room = {one: free.get(one, 0) + sum(other.get(one, 0) for other in preempted) for one in short}
        unless = (
            "" if any(room[one] < wanted[one] for one in short) else " unless pods of lower priority are preempted"
        )
        return f"no room left ({', '.join(sorted(short))}){unless}"


def few_nodes(count: int) -> str:
    """A number of nodes in words."""
    return "1 node" if count == 1 else f"{count} nodes"


def _may_preempt(pod: Pod, other: Pod) -> bool:
    return pod.spec.preemption_policy != "Never" and other.spec.priority < pod.spec.priority


def _taint(pod: Pod, node: NodeObject) -> str | None:
    """One that keeps the pod away."""
    taints = (taint for taint in node.spec.taints if taint.effect in NO_SCHEDULE)
    return next((taint.key for taint in taints if not taint.tolerated_by(pod.spec.tolerations)), None)


def _unselected(pod: Pod, node: NodeObject) -> str | None:
    """Why the pod does not choose the node by its labels or name."""
    if not pod.spec.node_selector.items() <= node.metadata.labels.items():
        return "node selector does not match"
    wanted = pod.spec.affinity.node_affinity.required_during_scheduling_ignored_during_execution
    return "node affinity does not match" if wanted is not None and not selects(wanted, node) else None


def requests(pod: Pod) -> Mapping[str, int]:
    """What the scheduler counts for a pod, by resource, in thousandths: the pod itself is one."""
    besides: list[Mapping[str, int]] = []
    total: Counter[str] = Counter()
    for one in pod.spec.init_containers:
        total |= Counter(_sum([one.resources.requests, *besides]))
        if one.restart_policy == "Always":
            besides.append(one.resources.requests)
    total |= Counter(_sum([*(one.resources.requests for one in pod.spec.containers), *besides]))
    return {"pods": 1000, **_sum([{**total, **pod.spec.resources.requests}, pod.spec.overhead])}


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


def host_ports(pod: Pod) -> list[Port]:
    """Those of its containers that run for as long as it does."""
    sidecars = (one for one in pod.spec.init_containers if one.restart_policy == "Always")
    return [port for container in (*pod.spec.containers, *sidecars) for port in container.ports if port.host_port]
