"""Problems of masters, workers and cluster DNS."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from haplane.domain import host_paths
from haplane.domain.cluster_health import Workloads
from haplane.domain.observed import HostReport, Kubernetes, Node, Observation, views_of
from haplane.domain.plan import CONTROL_PLANE_LABEL, MADE_LABEL, few
from haplane.domain.problem import UP, Problem, filling, journal, on, problem, word
from haplane.domain.refusals import remedy, was_refused
from haplane.domain.status.causes import continuing, end_of, not_ready, unresponsive_apiserver
from haplane.domain.status.model import MasterStatus, NodeStatus, Roster
from haplane.domain.steps.cluster import SUPER_ADMIN, forbidding, restoring_administrators


def master_status(name: str, roster: Roster, observation: Observation, nodes: Mapping[str, Node]) -> MasterStatus:
    """A master by its host's report and its Node."""
    report = observation.reports.get(name)
    node = nodes.get(name)
    return MasterStatus(
        name=name,
        address=roster.addresses[name],
        reachable=report is not None,
        ready=node is not None and node.ready,
        apiserver_ready=report is not None and report.apiserver.ready,
        kubelet_version=node.kubelet_version if node else None,
    )


def worker_status(name: str, roster: Roster, node: Node | None) -> NodeStatus:
    """A worker by its Node; None for one that no API server knows."""
    note = None if name in (*roster.workers, *roster.leaving) else _note(node)
    return NodeStatus(name, node is not None and node.ready, node.kubelet_version if node else None, note)


def _note(node: Node | None) -> str | None:
    """Whose a node is that is nowhere in the inventory."""
    if node is None:
        return None
    delete = f"if it is gone for good: kubectl delete node {node.name}"
    if MADE_LABEL not in node.labels:
        return f"not made by haplane; {delete}"
    if CONTROL_PLANE_LABEL in node.labels:
        return "a master that is not in the inventory: when it is gone, `haplane up` deletes its Node"
    return f"a worker that is not in the inventory; {delete}"


def node_problems(
    roster: Roster,
    observation: Observation,
    kubernetes: Kubernetes | None,
    masters: Sequence[MasterStatus],
    workers: Iterable[NodeStatus],
) -> list[Problem]:
    """Masters whose API server is not ready, then nodes that are not Ready, or that the API servers do not know.

    While no API server reports, nothing is known of nodes, which is a problem by itself.
    """
    found = [
        unresponsive_apiserver(one.name, roster, observation)
        for one in masters
        if one.reachable and not one.apiserver_ready
    ]
    if kubernetes is None:
        if forbids := forbidding(roster.masters, observation.reports):
            return [*found, _no_rights(*forbids)]
        ready = [one.name for one in masters if one.apiserver_ready]
        return [*found, _unusable(ready, observation)] if ready else found
    nodes = {node.name: node for node in kubernetes.nodes}
    for one in masters:
        if one.kubelet_version is None and one.reachable:
            found.append(_unknown_node(one.name, observation))
        elif not one.ready:
            found.append(not_ready(f"{one.name}: node not Ready", one.name, nodes, roster, observation))
    for worker in workers:
        what = f"{'node' if worker.note else 'worker'} {worker.name}: not Ready"
        if worker.kubelet_version is None and _runs_kubelet(worker.name, observation):
            found.append(_unknown_node(worker.name, observation))
        elif worker.note and not worker.ready:
            found.append(problem(what, why=worker.note, fix=journal(worker.name, "kubelet")))
        elif not worker.ready:
            found.append(not_ready(what, worker.name, nodes, roster, observation))
    return found


def _unusable(ready: Sequence[str], observation: Observation) -> Problem:
    """API servers that are ready and give an administrator nothing: for some of the reasons `up` can do nothing."""
    what = "the cluster's nodes are unknown"
    why = f"the API servers of {few(ready)} are ready, but returned no usable answer to an administrator's request"
    rejects = {name: status for name in ready if (status := observation.reports[name].apiserver.rejects)}
    if not rejects:
        return problem(what, why=why, fix=UP)
    name, status = next(iter(rejects.items()))
    fix = UP
    if status == "HTTP 429":
        looking = (
            f"kubectl --kubeconfig={host_paths.SUPER_ADMIN_KUBECONFIG} get flowschemas,prioritylevelconfigurations"
        )
        fix = f"{on(name, f'{SUPER_ADMIN}; {looking}')} shows what rejects them, unless it passes"
    return problem(what, why=f"{why}: {status}", fix=fix)


def _runs_kubelet(name: str, observation: Observation) -> bool:
    report = observation.reports.get(name)
    return report is not None and "kubelet" in report.units and report.units["kubelet"].active


def _no_rights(name: str, answer: str) -> Problem:
    why = f"the API servers forbid administrators to look: {answer}"
    return problem(
        "the cluster's nodes are unknown", why=why, fix=f"{on(name, restoring_administrators(answer))}, then {UP}"
    )


def _unknown_node(name: str, observation: Observation) -> Problem:
    why = (
        "the Node was deleted, and a kubelet registers only when it starts"
        if _runs_kubelet(name, observation)
        else None
    )
    return problem(f"{name}: its Node object is missing", why=why, fix=UP)


SHORTAGES = {
    "DiskPressure": "short of disk space",
    "MemoryPressure": "short of memory",
    "PIDPressure": "short of process ids",
    "NetworkUnavailable": "without a pod network",
}


def _fix_of_shortage(pressure: str, node: str) -> str:
    return {
        "DiskPressure": filling(node, "/var"),
        "MemoryPressure": on(node, "ps aux --sort=-rss | head") + " shows what uses it",
        "PIDPressure": on(node, "ps -eLo comm= | sort | uniq -c | sort -n | tail") + " shows what uses them",
    }.get(pressure, f"`kubectl get pods --all-namespaces --field-selector=spec.nodeName={node}` shows its pods there")


def pressure_problems(kubernetes: Kubernetes | None) -> list[Problem]:
    """Nodes that are Ready and yet get no new pods, because their kubelet or pod network reports a shortage."""
    found = []
    for node in kubernetes.nodes if kubernetes else ():
        for pressure in node.pressures if node.ready else ():
            evicts = pressure != "NetworkUnavailable"
            effect = f"no new pods are placed there{', and pods are evicted' if evicts else ''}"
            why = f"its condition {pressure} is true: {effect}"
            what = f"{node.name}: {SHORTAGES.get(pressure, pressure)}"
            found.append(problem(what, why=why, fix=_fix_of_shortage(pressure, node.name), needs=[node.name]))
    return found


COREDNS = "kube-system/coredns"
DNS_PODS = "`kubectl --namespace=kube-system describe pods --selector=k8s-app=kube-dns` shows why"
DNS_LOG = "`kubectl --namespace=kube-system logs --selector=k8s-app=kube-dns --previous` shows why it ended"


TOO_FEW_REPLICAS = ("its deployment has 0 replicas", "its deployment has 1 replica")
"""As kubernetes.py on hosts reports it."""


EDIT_COREFILE = "`kubectl --namespace=kube-system edit configmap coredns`"


def _fix_of_dns(why: str, views: Collection[Workloads]) -> str:
    """Pods that were refused for what is gone now are made at once by a new ReplicaSet."""
    if views and all(was_refused(COREDNS, why, view) for view in views):
        return "`kubectl --namespace=kube-system rollout restart deployment coredns`"
    if why.startswith("crash"):
        return DNS_LOG
    if why in TOO_FEW_REPLICAS:
        return "`kubectl --namespace=kube-system scale deployment coredns --replicas=2`"
    return UP if why.startswith(("ErrImage", "ImagePull")) else remedy("kube-system", why) or DNS_PODS


def lacks_dns(kubernetes: Kubernetes | None) -> bool:
    """Whether fewer CoreDNS pods are ready than there should be."""
    return kubernetes is not None and kubernetes.coredns_ready < min(2, len(kubernetes.nodes))


OF_RESOLV_CONF = re.compile(r"plugin/loop: |plugin/forward: no |no nameservers found")
"""What CoreDNS makes of the file that the Corefile's `forward` names: its node's own, and right in the Corefile."""


def _fix_of_corefile(corefile: str, reports: Mapping[str, HostReport]) -> str:
    """The file of a node without a name server for pods, or one that leads back to CoreDNS, where that is why."""
    if not OF_RESOLV_CONF.search(corefile):
        return EDIT_COREFILE
    wrong = [name for name, report in sorted(reports.items()) if _has_no_server(report.surroundings.name_servers)]
    name = next(iter(wrong), "its node")
    path = word(reports[name].surroundings.resolv_conf) if wrong else "/etc/resolv.conf"
    pods = "pods --selector=k8s-app=kube-dns"
    where = f"{pods} --field-selector=spec.nodeName={name}" if wrong else pods
    return (
        f"on {few(wrong) if wrong else name}: give {path} a name server that is not the node itself, "
        f"then `kubectl --namespace=kube-system delete {where}`"
    )


def _has_no_server(servers: Sequence[str]) -> bool:
    return not servers or any(one.startswith("127.") or one == "::1" for one in servers)


def dns_problems(
    roster: Roster,
    kubernetes: Kubernetes | None,
    corefile: str = "",
    reports: Mapping[str, HostReport] = MappingProxyType({}),
) -> list[Problem]:
    """What pods that resolve names lack, or would once CoreDNS restarts. ``corefile``: why it does not take it.

    Where one of two pods is ready, the other one may have been on any host.
    """
    nodes = {name: reports[name] for name in (*roster.masters, *roster.workers) if name in reports}
    fix = _fix_of_corefile(corefile, nodes)
    if kubernetes is None or not lacks_dns(kubernetes):
        what = "CoreDNS runs with an older Corefile, and does not start with the one that there is now"
        return [problem(what, why=corefile, fix=fix)] if corefile else []
    why = kubernetes.coredns_why
    needs: tuple[str, ...] = ()
    what = "no CoreDNS pod is ready: pods cannot resolve names"
    if kubernetes.coredns_ready:
        what = "only 1 CoreDNS pod is ready: without it pods cannot resolve names"
        needs = (*roster.addresses, *roster.leaving)
    if corefile:
        return [problem(what, why=corefile, fix=fix, needs=needs)]
    if frozen := {name: one for name, report in nodes.items() if (one := report.condition.stopped_of("coredns"))}:
        name, stopped = next(iter(frozen.items()))
        why, fix = f"it is stopped on {few(list(frozen))}", on(name, continuing(stopped))
        return [problem(what, why=why, fix=fix, needs=needs)]
    views = views_of(nodes.values())
    return [problem(what, why=why or None, fix=_fix_of_dns(why, views), needs=needs, ends=end_of(why))]
