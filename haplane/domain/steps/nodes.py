"""What masters and workers need of kubeadm and the kubelet. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from haplane.domain import host_paths
from haplane.domain.cluster_health import Pod
from haplane.domain.files import Part
from haplane.domain.observed import HostReport, views_of
from haplane.domain.plan import EXPIRED, MASTER_EVIDENCE, ClusterWants, Kind, Step, Wants, few, reasons
from haplane.domain.steps.host import step_on, taken_up_at, unfit_keys, unit_step, why_take_up

WORKER_EVIDENCE = (host_paths.KUBELET_KUBECONFIG, host_paths.KUBELET_CONFIG_YAML)


CERTIFICATES_OF = {
    "kube-apiserver": host_paths.APISERVER_ETCD_CLIENT_CRT,
    "kube-controller-manager": host_paths.CONTROLLER_MANAGER_KUBECONFIG,
    "kube-scheduler": host_paths.SCHEDULER_KUBECONFIG,
}
"""The file that each reads its client certificate from when it starts."""

REGISTRATION_SECONDS = 30.0
"""What a kubelet that has just started has to register its Node."""
UNRECORDED = "an interrupted run left no record of what kubeadm wrote"
AGAIN = "again"
"""In a kubelet's step: it runs, and has to be restarted all the same."""


def node_steps(
    cluster: ClusterWants,
    wants: Mapping[str, Wants],
    reports: Mapping[str, HostReport],
    *,
    with_node: Collection[str] = (),
    without_node: Collection[str] = (),
) -> list[Step]:
    """Kubeadm's phases where they have not run; a restart where their input changed; the kubelet where it is down.

    ``with_node``: whose Node is known. ``without_node``: whose Node was deleted. Their kubelets are restarted: only
    then they register.
    """
    steps: list[Step | None] = []
    for name in cluster.masters + cluster.workers:
        report = reports.get(name)
        if report is None:
            continue
        evidence = WORKER_EVIDENCE if name in cluster.workers else MASTER_EVIDENCE
        missing = tuple(path for path in evidence if path not in report.files)
        is_member = name in cluster.workers and name in with_node
        without_join = (is_member and runs_kubelet(report)) or _written_without_join(missing, is_member=is_member)
        if missing and not _only_moved(missing, report) and not without_join:
            kind = Kind.JOIN if name in cluster.workers else Kind.INITIALISE
            steps.append(Step(kind, name, f"{len(missing)} of {len(evidence)} files missing", missing))
            continue
        if name in cluster.masters:
            steps += control_plane_steps(name, wants[name], report, ended_static_pods(name, reports))
        lost = name in without_node and is_registered(report)
        steps += kubelet_steps(name, wants[name], report, has_lost_its_node=lost)
    return [step for step in steps if step is not None]


def runs_kubelet(report: HostReport) -> bool:
    """Whether the host is a node, whatever became of its files: a kubelet does not start without them."""
    kubelet = report.units.get("kubelet")
    return kubelet is not None and kubelet.active


def is_registered(report: HostReport) -> bool:
    """Whether the kubelet has run for long enough to have registered."""
    since = report.units["kubelet"].active_since if runs_kubelet(report) else report.started_at
    return report.started_at - since > REGISTRATION_SECONDS


def static_pods(reports: Mapping[str, HostReport]) -> list[Pod]:
    """Those of the control plane, as any master's API server reports them."""
    views = views_of(reports.values())
    return [pod for view in views for pod in view.pods]


def ended_static_pods(name: str, reports: Mapping[str, HostReport]) -> list[str]:
    """Components of this master that do not run there, and whose pods have ended for good by an API server's word."""
    ended = {pod.component for pod in static_pods(reports) if pod.node == name and pod.ended}
    of = reports[name].components.of if name in reports else {}
    return [component for component, state in of.items() if component in ended and not state.started_at]


def control_plane_steps(name: str, wanted: Wants, report: HostReport, ended: Sequence[str] = ()) -> list[Step | None]:
    """A restart is that of all three components. ``ended``: those whose pods have ended for good."""
    if why := why_recover(wanted, report):
        return [Step(Kind.RECOVER, name, why, tuple(wanted.certificates))]
    why = _why_restart(wanted, report)
    if why is None and ended:
        why = f"{few(list(ended))} has ended, and the kubelet does not start it again"
    return [
        step_on(Kind.CERTIFICATES, name, tuple(wanted.certificates), reasons(wanted.certificates)),
        Step(Kind.CONTROL_PLANE, name, why) if why else None,
    ]


def why_recover(wanted: Wants, report: HostReport) -> str | None:
    """Why nothing of the control plane runs, where certificates that have expired are the reason, or part of it.

    There is nothing to drain or to guard then: it starts with the new ones. What runs is known by its containers:
    anybody's program may have any name.
    """
    expired = {path for path in wanted.expired if host_paths.is_below(path, host_paths.KUBERNETES)}
    if not expired or report.apiserver.ready or any(state.started_at for state in report.components.of.values()):
        return None
    return EXPIRED


def _why_restart(wanted: Wants, report: HostReport) -> str | None:
    if any(path not in report.files for path in host_paths.CONTROL_PLANE_MANIFESTS):
        return "an interrupted restart left its manifest moved away"
    if (
        wanted.certificates
        or host_paths.APISERVER_ETCD_CLIENT_CRT in wanted.keys
        or host_paths.APISERVER_ETCD_CLIENT_CRT not in report.files
    ):
        return "its certificates are due for renewal"
    if unread := _why_read_again(wanted, report):
        return unread
    if other := not_as_made(host_paths.CONTROL_PLANE_MANIFESTS, report):
        return other
    if running := {name: state.differing for name, state in report.components.of.items() if state.differing}:
        flags = few([flag for found in running.values() for flag in found], 2)
        return f"{few(list(running))} does not match its manifest: {flags}"
    return why_take_up(Part.CONTROL_PLANE, wanted, report)


def _why_read_again(wanted: Wants, report: HostReport) -> str | None:
    """What changed, or is about to, of files that are read once."""
    if unread_certificates(report):
        return "its certificates are newer than it"
    if host_paths.ENCRYPTION_YAML in {**unfit_keys(wanted.identity, report), **wanted.keys}:
        return "its encryption keys are written anew"
    return "its encryption keys are newer than it" if has_unread_encryption(report) else None


def unread_certificates(report: HostReport) -> dict[str, str]:
    """Component of the control plane -> a file with its certificate that is newer than its process.

    Where it is not known when that started, it counts as started when kubeadm last wrote the manifests.
    """
    made = taken_up_at(Part.CONTROL_PLANE, report)
    found = {}
    for component, path in CERTIFICATES_OF.items():
        state = report.components.of.get(component)
        since = state.started_at if state is not None and state.started_at else made
        if since is not None and path in report.files and report.files[path].changed_at > since:
            found[component] = path
    return found


def has_unread_encryption(report: HostReport) -> bool:
    """Whether the file with the keys that encrypt Secrets is newer than the API server, which reads it once."""
    state, file = report.components.of.get("kube-apiserver"), report.files.get(host_paths.ENCRYPTION_YAML)
    return state is not None and file is not None and 0 < state.started_at < file.changed_at


def kubelet_steps(
    name: str, wanted: Wants, report: HostReport, *, has_lost_its_node: bool = False
) -> list[Step | None]:
    """The kubelet's settings, which kubeadm writes, and the unit."""
    config = host_paths.KUBELET_CONFIG_YAML
    why = _lost(config, report) or not_as_made((config,), report) or why_take_up(Part.KUBELET_CONFIG, wanted, report)
    client = wanted.kubelet_client or _lost(host_paths.KUBELET_KUBECONFIG, report)
    restart = "its client certificate is being replaced" if client else why_take_up(Part.KUBELET, wanted, report)
    if config not in report.files:
        restart = None  # it would not start; who writes it again restarts the kubelet
    serving = wanted.keys.get(host_paths.KUBELET_SERVING_CRT) or (
        None if host_paths.KUBELET_SERVING_CRT in report.files else "not present yet"
    )
    kubelet = report.units.get("kubelet")
    if why is None and kubelet and kubelet.since and report.files[config].changed_at > kubelet.since:
        why = f"{config} is newer than the kubelet"
    return [
        Step(Kind.KUBELET_CLIENT, name, client) if client else None,
        Step(Kind.SERVING, name, serving) if serving else None,
        Step(Kind.KUBELET_CONFIG, name, why) if why else None,
        Step(Kind.KUBELET, name, "kubelet: its Node object is missing", ("kubelet", AGAIN))
        if has_lost_its_node
        else unit_step(Kind.KUBELET, name, "kubelet", report, restart),
    ]


def not_as_made(paths: Sequence[str], report: HostReport) -> str | None:
    """Whether what kubeadm made was edited, or could be edited unseen because a run was killed before it noted it."""
    if edited := edited_files(paths, report):
        return f"{few(edited)} edited"
    return None if all(path in report.made for path in paths if path in report.files) else UNRECORDED


def edited_files(paths: Sequence[str], report: HostReport) -> list[str]:
    """Those that are not as kubeadm made them for haplane."""
    there = {path: report.files[path].sha256 for path in paths if path in report.files}
    return [path for path, sha256 in there.items() if report.made.get(path, sha256) != sha256]


def tidy_steps(cluster: ClusterWants, reports: Mapping[str, HostReport]) -> list[Step]:
    """Where super-admin.conf has to go; only once admin.conf works, or is made to work in the same run."""
    return [
        Step(Kind.TIDY, name, "the cluster-admins binding replaces it")
        for name in cluster.masters
        if name in reports and host_paths.SUPER_ADMIN_KUBECONFIG in reports[name].files
    ]


def tidy_staged_steps(reports: Mapping[str, HostReport], unfinished: Collection[Step]) -> list[Step]:
    """Where an upgrade was killed after its last host. While one still gets binaries, its way back is kept."""
    if unfinished:
        return []
    return [
        Step(Kind.TIDY_STAGED, name, few(report.leftovers.staged), report.leftovers.staged)
        for name, report in reports.items()
        if report.leftovers.staged
    ]


def _written_without_join(missing: tuple[str, ...], *, is_member: bool) -> bool:
    """Whether a worker that has joined gets back the one file it has lost: kubeadm refuses a node that is Ready."""
    return missing == (host_paths.KUBELET_CONFIG_YAML,) or (missing == (host_paths.KUBELET_KUBECONFIG,) and is_member)


def _lost(path: str, report: HostReport) -> str | None:
    return None if path in report.files else f"{path} is missing"


def _only_moved(missing: tuple[str, ...], report: HostReport) -> bool:
    return all(
        path in host_paths.MOVED_MANIFESTS and host_paths.MOVED_MANIFESTS[path] in report.files for path in missing
    )
