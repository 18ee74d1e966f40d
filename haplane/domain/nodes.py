"""What masters and workers need of kubeadm and the kubelet. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haplane.domain.files import Part
from haplane.domain.observed import HostReport
from haplane.domain.plan import (
    APISERVER_ASIDE,
    APISERVER_MANIFEST,
    COMPONENT_CONFIGS,
    KUBELET_CONFIG,
    MANIFESTS,
    MASTER_EVIDENCE,
    SUPER_ADMIN_CONFIG,
    ClusterWants,
    Kind,
    Step,
    Wants,
    few,
    reasons,
    step_on,
    taken_up_at,
    unit_step,
    why_take_up,
)

APISERVER_ETCD_CLIENT = "/etc/kubernetes/pki/apiserver-etcd-client.crt"
WORKER_EVIDENCE = ("/etc/kubernetes/kubelet.conf", KUBELET_CONFIG)


def node_steps(cluster: ClusterWants, wants: Mapping[str, Wants], reports: Mapping[str, HostReport]) -> list[Step]:
    """Kubeadm's phases where they have not run; a restart where their input changed; the kubelet where it is down."""
    steps: list[Step | None] = []
    for name in cluster.masters + cluster.workers:
        report = reports.get(name)
        if report is None:
            continue
        evidence = WORKER_EVIDENCE if name in cluster.workers else MASTER_EVIDENCE
        missing = tuple(path for path in evidence if path not in report.files)
        if missing and not _only_aside(missing, report):
            kind = Kind.JOIN if name in cluster.workers else Kind.INITIALISE
            steps.append(Step(kind, name, f"{len(missing)} of {len(evidence)} files missing", missing))
            continue
        if name in cluster.masters:
            steps += control_plane_steps(name, wants[name], report)
        steps += kubelet_steps(name, wants[name], report)
    return [step for step in steps if step is not None]


def control_plane_steps(name: str, wanted: Wants, report: HostReport) -> list[Step | None]:
    """``items`` of a restart are the components that have to start anew beside the API server."""
    why, components = _why_restart(wanted, report)
    return [
        step_on(Kind.CERTIFICATES, name, tuple(wanted.certificates), reasons(wanted.certificates)),
        Step(Kind.CONTROL_PLANE, name, why, components) if why else None,
    ]


def _why_restart(wanted: Wants, report: HostReport) -> tuple[str | None, tuple[str, ...]]:
    all_components = ("kube-controller-manager", "kube-scheduler")
    if APISERVER_MANIFEST not in report.files:
        return "an interrupted restart left its manifest aside", all_components
    if wanted.certificates or APISERVER_ETCD_CLIENT in wanted.keys or APISERVER_ETCD_CLIENT not in report.files:
        return "its certificates are due", all_components
    since = taken_up_at(Part.CONTROL_PLANE, report)
    keys = (APISERVER_ETCD_CLIENT, *COMPONENT_CONFIGS)
    if since is not None and any(path in report.files and report.files[path].changed_at > since for path in keys):
        return "its certificates are newer than it", all_components
    if edited := edited_since_made(MANIFESTS, report):
        return f"{few(edited)} edited", ()
    return why_take_up(Part.CONTROL_PLANE, wanted, report), ()


def kubelet_steps(name: str, wanted: Wants, report: HostReport) -> list[Step | None]:
    """The kubelet's settings, which kubeadm writes, and the unit."""
    why = why_take_up(Part.KUBELET_CONFIG, wanted, report)
    if edited_since_made((KUBELET_CONFIG,), report):
        why = f"{KUBELET_CONFIG} edited"
    kubelet = report.units.get("kubelet")
    if why is None and kubelet and kubelet.since and report.files[KUBELET_CONFIG].changed_at > kubelet.since:
        why = f"{KUBELET_CONFIG} is newer than the kubelet"
    return [
        Step(Kind.KUBELET_CONFIG, name, why) if why else None,
        unit_step(Kind.KUBELET, name, "kubelet", report, why_take_up(Part.KUBELET, wanted, report)),
    ]


def edited_since_made(paths: Sequence[str], report: HostReport) -> tuple[str, ...]:
    """Those that are not as kubeadm made them; of one that nobody noted down nothing is known."""
    return tuple(
        path
        for path in paths
        if path in report.files and report.made.get(path, report.files[path].sha256) != report.files[path].sha256
    )


def tidy_steps(cluster: ClusterWants, reports: Mapping[str, HostReport]) -> list[Step]:
    """Where super-admin.conf has to go; only once admin.conf works, or is made to work in the same run."""
    return [
        Step(Kind.TIDY, name, "the cluster-admins binding replaces it")
        for name in cluster.masters
        if name in reports and SUPER_ADMIN_CONFIG in reports[name].files
    ]


def _only_aside(missing: tuple[str, ...], report: HostReport) -> bool:
    return missing == (APISERVER_MANIFEST,) and APISERVER_ASIDE in report.files
