"""What one hop of an upgrade does, from the plan that `up` would make of the same hosts. Pure.

The plan of `up` says what differs; here that is sorted by who switches it: etcd's binaries with a member, kubeadm
with a control plane, the rest with a node. Nothing of it is remembered: an interrupted hop is seen as any difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from haplane.domain import host_paths
from haplane.domain.observed import HostReport
from haplane.domain.plan import Kind, Plan, Step, Wants, few
from haplane.domain.timetable import Took, length

UNFINISHED = (
    Kind.FORM_ETCD,
    Kind.START_ETCD,
    Kind.MEMBERS,
    Kind.DELETE_NODE,
    Kind.INITIALISE,
    Kind.RECOVER,
    Kind.KUBELET_CLIENT,
    Kind.JOIN,
    Kind.DECOMMISSION,
)
"""Steps that make a cluster complete or take hosts out of it: an upgrade begins after them, with `up`."""

AS_THEY_ARE = (
    Kind.PACKAGES,
    Kind.FILES,
    Kind.KEYS,
    Kind.BALANCER,
    Kind.UNDRAIN,
    Kind.SERVING,
    Kind.CERTIFICATES,
    Kind.CLUSTER,
    Kind.RUNTIME,
)
"""Steps of `up` that an upgrade takes over; what remains is done by the `up` that ends it."""


class Group(Enum):
    """What is switched together; the value is the step that does it."""

    ETCD = Kind.UPGRADE_ETCD
    CONTROL_PLANE = Kind.UPGRADE_CONTROL_PLANE
    NODE = Kind.UPGRADE_NODE


EFFECTS = {
    Group.ETCD: "one at a time, the leader last; out of service: one member, with the API server beside it; "
    "noticed by: watches, which reconnect",
    Group.CONTROL_PLANE: "one at a time; out of service: one API server, drained before; "
    "noticed by: watches, which reconnect, and clients that do not follow GOAWAY",
    Group.NODE: "one at a time; out of service: one kubelet, and a master's API server, drained before; pods run on; "
    "noticed by: watches, which reconnect, and exec, logs and port-forward on that node, which fail",
}
"""Of each step: what is out of service, and who notices."""

NOTHING_OUT = "out of service: nothing"

TRIGGERS = {
    Group.ETCD: (Kind.ETCD,),
    Group.CONTROL_PLANE: (Kind.CONTROL_PLANE, Kind.CERTIFICATES),
    Group.NODE: (Kind.RUNTIME, Kind.KUBELET, Kind.KUBELET_CONFIG),
}
"""Steps of `up` that make a switch due even where no binary differs: an interrupted run left its restart."""


@dataclass(frozen=True)
class Target:
    """The versions of a hop, where its image archives lie on hosts, and how long steps ``took`` before."""

    kubernetes: str
    etcd: str
    archives: frozenset[str]
    took: Took = field(default_factory=dict)


def group_of(path: str, roles: Sequence[str]) -> Group:
    """Which switch of a host with these roles takes this binary."""
    name = path.rpartition("/")[2]
    if name in ("etcd", "etcdctl", "etcdutl"):
        return Group.ETCD
    if "master" in roles and name in ("kubeadm", "kubectl"):
        return Group.CONTROL_PLANE
    if name == "age" and not {"master", "worker"} & set(roles):
        return Group.ETCD
    return Group.NODE


def upgrade_steps(
    plan: Plan,
    wants: Mapping[str, Wants],
    reports: Mapping[str, HostReport],
    kubelets: Mapping[str, str],
    target: Target,
) -> Plan:
    """``plan``: what `up` would do for this target; ``kubelets``: by node, the version that its kubelet reports."""
    steps = list(plan.of(*AS_THEY_ARE))
    for name, wanted in wants.items():
        binaries = [path for path in plan.items(name, Kind.BUNDLE) if path not in target.archives]
        staged = {path: host_paths.staged(target.kubernetes, path) for path in binaries}
        absent = [path for path in binaries if reports[name].bundle.get(staged[path]) != wanted.bundle[path]]
        steps += _stage(name, absent, plan, target)
        for group in Group:
            due = tuple(path for path in binaries if group_of(path, wanted.roles) is group)
            why = _change(group, reports[name], kubelets.get(name), target) or _trigger(group, name, plan)
            why = why or _is_down(group, wanted, reports[name])
            if due or why:
                why = why or f"{few(due)} differ"
                steps.append(
                    Step(group.value, name, f"{why}; {EFFECTS[group]}{length(group.value, target.took)}", due)
                )
    return Plan(tuple(steps))


def _stage(name: str, absent: Sequence[str], plan: Plan, target: Target) -> list[Step]:
    archives = [path for path in plan.items(name, Kind.BUNDLE) if path in target.archives]
    images = plan.items(name, Kind.IMAGES)
    if not absent and not archives and not images:
        return []
    why = f"{len(absent)} binaries, {max(len(archives), len(images))} images; {NOTHING_OUT}"
    return [Step(Kind.STAGE, name, f"{why}{length(Kind.STAGE, target.took)}", (*absent, *archives, *images))]


def _change(group: Group, report: HostReport, kubelet: str | None, target: Target) -> str | None:
    """FROM -> TO, where what runs reports another version than the target's."""
    status = report.etcd.status
    running = {
        Group.ETCD: status.version if status else None,
        Group.CONTROL_PLANE: report.settings.get("apiserver_version"),
        Group.NODE: kubelet.removeprefix("v") if kubelet else None,
    }[group]
    wanted = target.etcd if group is Group.ETCD else target.kubernetes
    return f"{running} -> {wanted}" if running and running != wanted else None


def _is_down(group: Group, wanted: Wants, report: HostReport) -> str | None:
    """An API server that an earlier run left so: nothing else differs, and its kubelet's upgrade asks it."""
    down = group is Group.CONTROL_PLANE and "master" in wanted.roles and not report.apiserver.ready
    return "its API server is not ready" if down else None


def _trigger(group: Group, name: str, plan: Plan) -> str | None:
    return next((step.why for step in plan.of(*TRIGGERS[group]) if step.host == name), None)
