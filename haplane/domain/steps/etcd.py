"""What has to be done to etcd's members, besides changes of membership. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haplane.domain import host_paths
from haplane.domain.etcd_failure import FailureKind
from haplane.domain.files import ETCD_USER, Part
from haplane.domain.observed import HostReport
from haplane.domain.plan import EXPIRED, ClusterWants, Kind, Step, Wants
from haplane.domain.steps.host import unit_step, why_take_up

FIXED_BY_UP = (FailureKind.PERMISSION, FailureKind.CERTIFICATE, FailureKind.KEYS_MISSING, FailureKind.WRONG_FLAGS)
"""Failures of etcd's that files, keys or a restart of ours may end."""


def etcd_steps(cluster: ClusterWants, wants: Mapping[str, Wants], reports: Mapping[str, HostReport]) -> list[Step]:
    """Form the cluster once, when no member has ever been part of one; afterwards start or restart its members."""
    if must_form_etcd((*cluster.etcd, *cluster.leaving), reports):
        return [Step(Kind.FORM_ETCD, name, f"{len(cluster.etcd)} members") for name in cluster.etcd]
    steps: list[Step | None] = []
    for name in cluster.etcd:
        report = reports.get(name)
        if report is None:
            continue
        if not report.etcd.has_data or report.etcd.damaged:
            continue  # a lost member: to be replaced, never to be started
        expired = _why_out_of_service(wants[name], report)
        if _fails_by_itself(report) and not expired:
            continue  # systemd starts it every second; what is in its way is named by status
        if not report.etcd.bootstrapped:
            steps.append(Step(Kind.FORM_ETCD, name, "formed by an interrupted run, but not confirmed"))
            continue
        why = (
            "its keys are due for renewal" if _etcd_keys_due(wants[name]) else _why_restart_etcd(wants[name], report)
        )
        start = unit_step(Kind.START_ETCD, name, "etcd", report, expired)
        steps.append(start or unit_step(Kind.ETCD, name, "etcd", report, why))
    if not any(report.etcd.reads_through_quorum for report in reports.values()):
        steps += _needed_leavers(cluster.leaving, reports)
    return [step for step in steps if step is not None]


def _why_restart_etcd(wanted: Wants, report: HostReport) -> str | None:
    owners = {report.files[path].owner for path in host_paths.ETCD_OWN_KEYS if path in report.files}
    if why := why_take_up(Part.ETCD, wanted, report):
        return why
    if _has_another_quota(wanted, report):
        return "its quota differs from the inventory's"
    return "its keys are not owned by its user" if owners - {ETCD_USER, ""} else None


def _has_another_quota(wanted: Wants, report: HostReport) -> bool:
    """Whether it runs with a quota that a restart would change: not where a drop-in that is not ours sets it."""
    status, unit = report.etcd.status, report.units.get("etcd")
    if status is None or unit is None or status.db_size_quota in (0, wanted.etcd_quota_bytes):
        return False
    return wanted.etcd_quota_bytes is not None and (unit.needs_reload or not unit.foreign_drop_ins)


def _fails_by_itself(report: HostReport) -> bool:
    """Whether its member is started again and again, and ends for a reason that no step of ours removes."""
    unit, failure = report.units.get("etcd"), report.etcd.failure
    return unit is not None and unit.starting and failure is not None and failure.kind not in FIXED_BY_UP


def _needed_leavers(leaving: Sequence[str], reports: Mapping[str, HostReport]) -> list[Step]:
    """Leaving members that are stopped: without a majority they are needed once more before they can leave."""
    known = {name: reports[name] for name in leaving if name in reports}
    return [
        Step(Kind.START_ETCD, name, "etcd is stopped, and there is no majority without it", ("etcd",))
        for name, report in known.items()
        if report.etcd.has_data and report.etcd.bootstrapped and not report.etcd.damaged
        if "etcd" in report.units and not report.units["etcd"].active
    ]


def must_form_etcd(members: Sequence[str], reports: Mapping[str, HostReport]) -> bool:
    """Only when every member answered and none has ever been part of a healthy cluster."""
    return all(name in reports and not reports[name].etcd.bootstrapped for name in members)


def _etcd_keys_due(wanted: Wants) -> bool:
    return any(host_paths.is_below(path, host_paths.ETCD_PKI) for path in wanted.keys)


def _why_out_of_service(wanted: Wants, report: HostReport) -> str | None:
    """Why a member that runs serves nobody, where new certificates are all that it needs: it is not taken out."""
    expired = any(path in wanted.expired and host_paths.is_below(path, host_paths.ETCD_PKI) for path in wanted.keys)
    return EXPIRED if expired and not report.etcd.reads_through_quorum else None
