"""What is applied through the API, once for the cluster. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from haplane.domain import host_paths
from haplane.domain.applied import changes, short
from haplane.domain.observed import HostReport, Kubernetes, Node
from haplane.domain.plan import (
    CONTROL_PLANE_LABELS,
    CONTROL_PLANE_TAINT,
    MADE_LABEL,
    MASTER_EVIDENCE,
    THE_CLUSTER,
    ClusterWants,
    Kind,
    Step,
    few,
)
from haplane.domain.refusals import RESTART_APISERVER

NO_ROLE = re.compile(r'clusterrole\S* "cluster-admin" not found')
"""In an API server's refusal (plugin/pkg/auth/authorizer/rbac)."""
SUPER_ADMIN = f"kubeadm init phase kubeconfig super-admin --config={host_paths.KUBEADM_CONFIG_YAML}"
"""Makes credentials that need no role, and that no limit of requests is for."""
ONCE_ONLY_OBJECTS = ("haplane", "kubeadm-config", "coredns", "kube-proxy")


def cluster_steps(
    cluster: ClusterWants,
    reports: Mapping[str, HostReport],
    kubernetes: Kubernetes | None,
    deleted: Collection[str] = (),
) -> list[Step]:
    """What is applied through the API by any one master; ``deleted`` are nodes that will be new ones."""
    down = api_servers_are_down(cluster.masters, reports)
    reporting_nothing = api_servers_report_nothing(cluster.masters, reports)
    if kubernetes is None and (down or reporting_nothing):
        return []  # nobody tells: what is unknown is not missing
    nodes = kubernetes.nodes if kubernetes else ()
    known = {node.name: node for node in nodes if node.name not in deleted}
    return [
        *_object_steps(cluster, reports, kubernetes),
        *_master_marks(cluster, reports, known),
        *_worker_marks(cluster, reports, known),
    ]


def role_steps(cluster: ClusterWants, reports: Mapping[str, HostReport], starting: Collection[str]) -> list[Step]:
    """Kubernetes' own roles that somebody deleted: an API server that starts makes them, and one will do.

    ``starting``: masters whose API server starts anyway.
    """
    lost = changes(cluster.masters, reports).lost_roles
    there = [name for name in cluster.masters if name in reports and reports[name].workloads is not None]
    if not lost or starting or not there:
        return []
    why = f"{few([short(path) for path in lost])} deleted: an API server makes them when it starts"
    return [Step(Kind.CONTROL_PLANE, there[0], why)]


def _object_steps(
    cluster: ClusterWants, reports: Mapping[str, HostReport], kubernetes: Kubernetes | None
) -> list[Step]:
    """One where objects are missing, or not as they were last applied, or would be applied otherwise now."""
    objects = kubernetes.objects if kubernetes else ()
    changed = changes(cluster.masters, reports)
    if missing := [name for name in ONCE_ONLY_OBJECTS if name not in objects]:
        why: str | None = f"{', '.join(missing)} missing"
    elif kubernetes is not None and kubernetes.applied != cluster.applied:
        why = "their configuration changed"
    else:
        why = changed.why
    return [Step(Kind.CLUSTER, THE_CLUSTER, why, (*changed.missing, *changed.edited))] if why else []


def _master_marks(
    cluster: ClusterWants, reports: Mapping[str, HostReport], known: Mapping[str, Node]
) -> Iterator[Step]:
    for name in cluster.masters:
        node = known.get(name)
        marked = is_marked(node, masters_run_pods=cluster.masters_run_pods) and is_labelled(cluster, name, node)
        if name in reports and not marked:
            yield Step(Kind.MARK, name, "to match the inventory")


def _worker_marks(
    cluster: ClusterWants, reports: Mapping[str, HostReport], known: Mapping[str, Node]
) -> Iterator[Step]:
    """Also of those that are about to join."""
    for name in cluster.workers:
        node = known.get(name)
        joins = name in reports and host_paths.KUBELET_KUBECONFIG not in reports[name].files
        if (node is None and joins) or (node is not None and MADE_LABEL not in node.labels):
            yield Step(Kind.MARK_WORKERS, name, "it is in the inventory")
        elif node is not None and not is_labelled(cluster, name, node):
            yield Step(Kind.MARK_WORKERS, name, "its labels are not the inventory's")


def api_servers_are_down(masters: Sequence[str], reports: Mapping[str, HostReport]) -> bool:
    """Masters answered, each has been through kubeadm's phases, and no API server is ready, as far as is known."""
    known = [reports[name].apiserver for name in masters if name in reports]
    serves = any(apiserver.ready or apiserver.refuses_probes for apiserver in known)
    return _are_set_up(masters, reports) and not serves


def api_servers_report_nothing(masters: Sequence[str], reports: Mapping[str, HostReport]) -> bool:
    """One is ready, and yet none has reported which nodes and objects there are.

    Not before admin.conf has its rights: super-admin.conf, which gives them, goes away then.
    """
    known = [reports[name] for name in masters if name in reports]
    ready = any(report.apiserver.ready for report in known)
    reported = any(report.kubernetes is not None for report in known)
    begun = any(host_paths.SUPER_ADMIN_KUBECONFIG in report.files for report in known)
    return ready and not reported and not begun and _are_set_up(masters, reports)


def forbidding(masters: Sequence[str], reports: Mapping[str, HostReport]) -> tuple[str, str] | None:
    """A master whose API server gives administrators no rights any more, and what it answers them.

    Not before they have been given any: super-admin.conf is there as long.
    """
    for name in masters:
        report = reports.get(name)
        if report and report.apiserver.forbids and host_paths.SUPER_ADMIN_KUBECONFIG not in report.files:
            return name, report.apiserver.forbids
    return None


def restoring_administrators(answer: str) -> str:
    """What gives administrators their rights back on a master, by what it answers them.

    Credentials that need none, and are not kept, bind them to their role; the role itself comes with an API server.
    """
    if NO_ROLE.search(answer):
        return RESTART_APISERVER
    made = host_paths.SUPER_ADMIN_KUBECONFIG
    return (
        f"{SUPER_ADMIN}; kubectl --kubeconfig={made} create "
        "clusterrolebinding kubeadm:cluster-admins --clusterrole=cluster-admin --group=kubeadm:cluster-admins; "
        f"rm -f {made}"
    )


def _are_set_up(masters: Sequence[str], reports: Mapping[str, HostReport]) -> bool:
    """Masters answered, and each has been through kubeadm's phases: it can ask its API server."""
    known = [reports[name] for name in masters if name in reports]
    return bool(known) and all(path in report.files for report in known for path in MASTER_EVIDENCE)


def is_labelled(cluster: ClusterWants, name: str, node: Node | None) -> bool:
    """Whether a Node has every label that the inventory gives it."""
    return node is not None and set(cluster.labels.get(name, ())) <= set(node.chosen)


def is_marked(node: Node | None, *, masters_run_pods: bool) -> bool:
    """Whether a master's Node has haplane's label and a master's, and the taint just when no pods may run there."""
    if node is None:
        return False
    tainted = CONTROL_PLANE_TAINT in node.taints
    return set(node.labels) >= {*CONTROL_PLANE_LABELS, MADE_LABEL} and tainted is not masters_run_pods
