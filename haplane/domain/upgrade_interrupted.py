"""What is repaired while a hop is interrupted: all that leaves each host the versions that it runs. Pure.

`up` refuses to change a version, because it would do so on all hosts at once. Between two versions no inventory names
both, and an upgrade goes on only while everything but one host serves: so that whatever else had failed could not be
repaired by either. There `up` does what no version decides, and leaves the rest to the upgrade. A host that has none
of its programs, and a member whose data is made anew, get the inventory's, where those may run beside the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from haplane.domain.files import Part
from haplane.domain.observed import HostReport
from haplane.domain.plan import Kind, Plan, Step, Wants, few
from haplane.domain.upgrade_plan import Group, group_of
from haplane.domain.upgrade_route import problem_of
from haplane.domain.versions import Running, is_version, parse

NO_VERSION_DECIDES = (
    Kind.PACKAGES,
    Kind.KEYS,
    Kind.START_ETCD,
    Kind.MEMBERS,
    Kind.SPACE,
    Kind.BALANCER,
    Kind.UNDRAIN,
    Kind.DELETE_NODE,
    Kind.RECOVER,
    Kind.KUBELET_CLIENT,
    Kind.SERVING,
    Kind.APPROVE,
    Kind.LEAD,
    Kind.TIDY,
    Kind.REPLACE_PODS,
    Kind.MARK,
    Kind.MARK_WORKERS,
    Kind.DECOMMISSION,
    Kind.SEAL,
    Kind.AGENT,
    Kind.SCHEDULE,
    Kind.BUCKET,
    Kind.UNSCHEDULE,
)
ONCE_FOR_ALL = (Kind.FORM_ETCD, Kind.CLUSTER, Kind.TIDY_STAGED)
"""Steps that are the upgrade's, or of no cluster that exists."""

PARTS = (Part.HOST, Part.ETCD, Part.HAPROXY, Part.KEEPALIVED, Part.VRRP_FILTER, Part.SNAPSHOT_TIMER)
"""Files in which no version of Kubernetes or of the container runtime is named."""


def is_interrupted(running: Collection[Running], members: Collection[str], wanted: str, *, staged: bool) -> bool:
    """Whether this is what a hop leaves that was interrupted: two versions run, or the next one is ``staged``.

    ``members``: versions of etcd. What no upgrade could have left is not: somebody is wrong about a version.
    """
    versions = {one.version for one in running}
    if not versions or not all(map(is_version, versions)):
        return False
    newest = str(max(map(parse, versions)))
    if problem_of(running, newest) is not None:
        return False
    return (
        len(versions) > 1
        or len({parse(one)[:2] for one in members if is_version(one)}) > 1
        or (staged and versions != {wanted})
    )


def staged_on_most(masters: Iterable[HostReport]) -> bool:
    """Whether the next version lies beside the running one: on all masters, or one of them is wrong."""
    found = [bool(report.leftovers.staged) for report in masters]
    return 2 * sum(found) > len(found)


def keep_versions(
    plan: Plan,
    wants: Mapping[str, Wants],
    reports: Mapping[str, HostReport],
    *,
    etcd_fits: bool,
    waiting: Collection[str] = (),
) -> Plan:
    """Of what `up` would do, the steps that change no version.

    ``etcd_fits``: the inventory's, beside the others'; ``waiting`` are new hosts that may not be made yet.
    """
    added = {step.host for step in plan.of(Kind.MEMBERS) if "add" in step.items} if etcd_fits else set()
    kept = [
        _kept(step, wants.get(step.host), reports.get(step.host), step.host in added)
        for step in plan.steps
        if step.host not in waiting
    ]
    return Plan(tuple(step for step in kept if step is not None))


def _kept(step: Step, wanted: Wants | None, report: HostReport | None, is_added: bool) -> Step | None:
    if step.kind in NO_VERSION_DECIDES:
        return step
    if step.kind in ONCE_FOR_ALL or wanted is None or report is None:
        return None
    if is_new(wanted, report) or _starts_what_is_down(step, report):
        return step
    chosen = _chosen(step.kind, wanted, is_added)
    items = tuple(item for item in step.items if item in chosen)
    return replace(step, items=items, why=few(items)) if items else None


def _starts_what_is_down(step: Step, report: HostReport) -> bool:
    """With the program that is there."""
    if step.kind in (Kind.RUNTIME, Kind.KUBELET):
        return not all(unit in report.units and report.units[unit].active for unit in step.items[:1])
    return step.kind in (Kind.CONTROL_PLANE, Kind.CERTIFICATES) and not report.apiserver.ready


def _chosen(kind: Kind, wanted: Wants, is_added: bool) -> set[str]:
    if kind is Kind.FILES:
        return {file.path for file in wanted.files if file.part in PARTS}
    if kind is Kind.BUNDLE and is_added:
        return {path for path in wanted.bundle if group_of(path, wanted.roles) is Group.ETCD}
    return set()


def is_new(wanted: Wants, report: HostReport) -> bool:
    """Whether the host has none of its programs: which version it gets is still to be decided."""
    return "bundle" not in report.failed and not any(path in report.bundle for path in wanted.bundle)


def may_run_beside(wanted: str, running: Iterable[str]) -> bool:
    """Whether an API server of that version may: at most one minor version apart from all others."""
    return all(abs(parse(wanted).minor - parse(one).minor) <= 1 for one in running)


def may_join_as_worker(wanted: str, apiservers: Iterable[str]) -> bool:
    """Whether a kubelet of that version may use any of these API servers: it is newer than none."""
    return all(parse(wanted)[:2] <= parse(one)[:2] for one in apiservers)


def may_join(etcd: str, members: Iterable[str]) -> bool:
    """Whether a member of that version may: the cluster's is the lowest of theirs, and its own at most one newer."""
    minors = [parse(one)[:2] for one in members if is_version(one)]
    if not minors or not is_version(etcd):
        return True
    lowest, own = min(minors), parse(etcd)[:2]
    return own[0] == lowest[0] and 0 <= own[1] - lowest[1] <= 1
