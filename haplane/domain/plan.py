"""What a plan is, and what single hosts, etcd and the cluster need. Pure: no I/O, no clock.

The invariant: an empty plan means that every host is as the inventory says; carrying out a plan and deciding again
gives an empty plan. Steps say nothing of order or of how; phases do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from haplane.domain.files import Part, WantedFile
from haplane.domain.observed import HostReport, Kubernetes, Node

ADMIN_CONFIG = "/etc/kubernetes/admin.conf"
APISERVER_MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
APISERVER_ASIDE = "/etc/kubernetes/haplane/kube-apiserver.yaml"
"""Where the manifest is for the moment in which a restart takes the API server away."""

MANIFESTS = (
    APISERVER_MANIFEST,
    "/etc/kubernetes/manifests/kube-controller-manager.yaml",
    "/etc/kubernetes/manifests/kube-scheduler.yaml",
)
COMPONENT_CONFIGS = ("/etc/kubernetes/controller-manager.conf", "/etc/kubernetes/scheduler.conf")
KUBELET_CONFIG = "/var/lib/kubelet/config.yaml"
KUBELET_KUBECONFIG = "/etc/kubernetes/kubelet.conf"
MASTER_EVIDENCE = (
    KUBELET_KUBECONFIG,
    ADMIN_CONFIG,
    *COMPONENT_CONFIGS,
    *MANIFESTS,
    KUBELET_CONFIG,
)
"""A master without one of these has not been through kubeadm's phases, or has lost what they made."""

MADE_BY_KUBEADM = {Part.CONTROL_PLANE: APISERVER_MANIFEST, Part.KUBELET_CONFIG: KUBELET_CONFIG}
"""What kubeadm writes when it has read a part's files."""

BINARIES = "/usr/local/bin/"
ETCD_PKI = "/etc/etcd/pki/"
HAPROXY_CLIENT = f"{ETCD_PKI}haproxy.pem"
HAPROXY_KEYS = (f"{ETCD_PKI}ca.crt", HAPROXY_CLIENT)
"""What haproxy reads besides its configuration where it is a master's etcd endpoint, and only when it is loaded."""

SUPER_ADMIN_CONFIG = "/etc/kubernetes/super-admin.conf"
CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"
CONTROL_PLANE_LABELS = frozenset({CONTROL_PLANE_LABEL, "node.kubernetes.io/exclude-from-external-load-balancers"})
CONTROL_PLANE_TAINT = f"{CONTROL_PLANE_LABEL}:NoSchedule"
ONCE_ONLY_OBJECTS = ("haplane", "kubeadm-config", "coredns", "kube-proxy")


class Kind(Enum):
    """What a step does."""

    PACKAGES = "install packages"
    FILES = "write files"
    KEYS = "issue keys and certificates"
    BUNDLE = "push binaries"
    IMAGES = "import images"
    RUNTIME = "start the container runtime"
    FORM_ETCD = "form the etcd cluster"
    START_ETCD = "start etcd"
    MEMBERS = "change etcd's members"
    ETCD = "restart etcd"
    BALANCER = "start the load balancer"
    RESTORE = "put drained servers back"
    FORGET = "delete its Node object"
    INITIALISE = "run kubeadm's phases"
    CERTIFICATES = "renew kubeadm's certificates"
    CONTROL_PLANE = "restart the control plane"
    KUBELET_CONFIG = "configure the kubelet anew"
    KUBELET = "start the kubelet"
    TIDY = "remove super-admin.conf"
    CLUSTER = "apply what exists once in the cluster"
    MARK = "set labels and taints"
    JOIN = "join as a worker"
    LEAVE = "leave the cluster"
    SEAL = "seal the cluster's keys for snapshots"
    AGENT = "install the snapshot agent"
    SCHEDULE = "start the snapshot timer"
    BUCKET = "try the bucket for snapshots"
    UNSCHEDULE = "take no more snapshots"


@dataclass(frozen=True)
class Step:
    """One thing to do on one host. ``items`` are what it is done to: paths, images, units, packages, certificates."""

    kind: Kind
    host: str
    why: str
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wants:
    """What one host should be. ``bundle`` maps paths to digests, ``keys`` paths of leaves to why they are due.

    ``certificates`` maps those that kubeadm renews, by its own names for them, to why they are due.
    """

    roles: tuple[str, ...]
    files: tuple[WantedFile, ...] = ()
    bundle: Mapping[str, str] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    certificates: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ClusterWants:
    """What the cluster as a whole should be. ``applied`` is the fingerprint of the once-only objects."""

    masters: tuple[str, ...]
    etcd: tuple[str, ...]
    workers: tuple[str, ...]
    masters_run_pods: bool
    applied: str
    leaving: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Steps, in no order."""

    steps: tuple[Step, ...] = ()

    def of(self, *kinds: Kind) -> tuple[Step, ...]:
        """Steps of these kinds."""
        return tuple(step for step in self.steps if step.kind in kinds)

    def hosts(self, *kinds: Kind) -> tuple[str, ...]:
        """Hosts with a step of these kinds, each once, in the plan's order."""
        return tuple(dict.fromkeys(step.host for step in self.of(*kinds)))

    def items(self, host: str, kind: Kind) -> tuple[str, ...]:
        """Everything that a host's steps of this kind are done to."""
        return tuple(item for step in self.of(kind) if step.host == host for item in step.items)

    def describe(self, *kinds: Kind) -> list[str]:
        """``HOSTS: what it does (why)``, hosts with the same step sharing a line."""
        lines: dict[tuple[Kind, str], list[str]] = {}
        for step in self.of(*kinds):
            lines.setdefault((step.kind, step.why), []).append(step.host)
        return [f"{', '.join(hosts)}: {kind.value} ({why})" for (kind, why), hosts in lines.items()]


def host_steps(name: str, wanted: Wants, report: HostReport) -> list[Step]:
    """What concerns one host by itself, whatever its roles."""
    files = changed_files(wanted.files, report)
    binaries = tuple(path for path, sha256 in wanted.bundle.items() if report.bundle.get(path) != sha256)
    images = missing_images(wanted, report, archives_are_there=not binaries)
    identity = tuple(path for path in wanted.identity if path not in report.files)
    keys = {**{path: "not there yet" for path in identity}, **wanted.keys}
    packages = tuple(package for package in wanted.packages if package not in report.units)
    steps = [
        step_on(Kind.PACKAGES, name, packages, ", ".join(packages)),
        step_on(Kind.FILES, name, tuple(file.path for file in files), few([file.path for file in files])),
        step_on(Kind.KEYS, name, tuple(keys), reasons(keys)),
        step_on(Kind.BUNDLE, name, binaries, f"{len(binaries)} files differ"),
        step_on(Kind.IMAGES, name, images, f"{len(images)} missing"),
    ]
    if "containerd" in wanted.units:
        steps.append(
            unit_step(Kind.RUNTIME, name, "containerd", report, why_take_up(Part.CONTAINERD, wanted, report))
        )
    for unit, part in (("haproxy", Part.HAPROXY), ("keepalived", Part.KEEPALIVED)):
        if unit in wanted.units:
            why = why_take_up(part, wanted, report)
            if part is Part.HAPROXY:
                why = why or _why_read_keys_again(wanted, keys, report)
            steps.append(unit_step(Kind.BALANCER, name, unit, report, why))
    steps.append(_drained_step(name, report))
    return [step for step in steps if step is not None]


def missing_images(wanted: Wants, report: HostReport, *, archives_are_there: bool) -> tuple[str, ...]:
    """Images containerd does not know; while it is down none, if all archives are there: it gets what it lacks."""
    if report.images is None and archives_are_there:
        return ()
    return tuple(image for image in wanted.images if image not in (report.images or ()))


def _drained_step(name: str, report: HostReport) -> Step | None:
    """Servers that haproxy sends nothing to because somebody told it so."""
    drained = tuple(
        f"{server.backend}/{server.name}"
        for server in report.balancer.servers or ()
        if server.status.startswith(("DRAIN", "MAINT", "no check"))
    )
    return step_on(Kind.RESTORE, name, drained, ", ".join(drained))


def changed_files(files: Iterable[WantedFile], report: HostReport) -> tuple[WantedFile, ...]:
    """Those that are absent or differ in content or mode."""
    found = report.files
    return tuple(
        file
        for file in files
        if file.path not in found or (found[file.path].sha256, found[file.path].mode) != (file.sha256, file.mode)
    )


def etcd_steps(cluster: ClusterWants, wants: Mapping[str, Wants], reports: Mapping[str, HostReport]) -> list[Step]:
    """Form the cluster once, when no member has ever been part of one; afterwards start or restart its members."""
    if must_form_etcd(cluster.etcd, reports):
        return [Step(Kind.FORM_ETCD, name, f"{len(cluster.etcd)} members") for name in cluster.etcd]
    steps: list[Step | None] = []
    for name in cluster.etcd:
        report = reports.get(name)
        if report is None:
            continue
        if not report.etcd.has_data or report.etcd.complaint is not None:
            continue  # a lost member: to be replaced, never to be started
        if not report.etcd.bootstrapped:
            steps.append(Step(Kind.FORM_ETCD, name, "formed by an interrupted run, but not settled"))
            continue
        why = "its keys are due" if _etcd_keys_due(wants[name]) else why_take_up(Part.ETCD, wants[name], report)
        start = unit_step(Kind.START_ETCD, name, "etcd", report, None)
        steps.append(start or unit_step(Kind.ETCD, name, "etcd", report, why))
    return [step for step in steps if step is not None]


def must_form_etcd(members: Sequence[str], reports: Mapping[str, HostReport]) -> bool:
    """Only when every member answered and none has ever been part of a healthy cluster."""
    return all(name in reports and not reports[name].etcd.bootstrapped for name in members)


def _etcd_keys_due(wanted: Wants) -> bool:
    return any(path.startswith(ETCD_PKI) for path in wanted.keys)


def cluster_steps(
    cluster: ClusterWants,
    reports: Mapping[str, HostReport],
    kubernetes: Kubernetes | None,
    forgotten: Collection[str] = (),
) -> list[Step]:
    """What is applied through the API by any one master; ``forgotten`` are nodes that will be new ones."""
    if kubernetes is None and api_servers_are_down(cluster.masters, reports):
        return []  # nobody tells: what is unknown is not missing
    nodes = kubernetes.nodes if kubernetes else ()
    known = {node.name: node for node in nodes if node.name not in forgotten}
    objects = kubernetes.objects if kubernetes else ()
    steps = []
    if missing := tuple(name for name in ONCE_ONLY_OBJECTS if name not in objects):
        steps.append(Step(Kind.CLUSTER, "the cluster", f"{', '.join(missing)} missing"))
    elif kubernetes is not None and kubernetes.applied != cluster.applied:
        steps.append(Step(Kind.CLUSTER, "the cluster", "what it was made from changed"))
    for name in cluster.masters:
        if name in reports and not is_marked(known.get(name), masters_run_pods=cluster.masters_run_pods):
            steps.append(Step(Kind.MARK, name, "as the inventory says"))
    return steps


def api_servers_are_down(masters: Sequence[str], reports: Mapping[str, HostReport]) -> bool:
    """Masters answered, each has been through kubeadm's phases, and no API server is ready."""
    known = [reports[name] for name in masters if name in reports]
    been_through = all(path in report.files for report in known for path in MASTER_EVIDENCE)
    return bool(known) and been_through and not any(report.apiserver.ready for report in known)


def is_marked(node: Node | None, *, masters_run_pods: bool) -> bool:
    """Whether a master's Node has a master's labels, and the taint exactly when no pods may run on it."""
    if node is None:
        return False
    return set(node.labels) >= CONTROL_PLANE_LABELS and (CONTROL_PLANE_TAINT in node.taints) is not masters_run_pods


def why_take_up(part: Part, wanted: Wants, report: HostReport) -> str | None:
    """Why what reads this part's files has to read them again: an interrupted run may have written them only."""
    mine = [file for file in wanted.files if file.part is part]
    if changed_files(mine, report):
        return "its files changed"
    since = taken_up_at(part, report)
    if since is not None and any(report.files[file.path].changed_at > since for file in mine):
        return "its files are newer than it"
    return why_run_again(part, wanted, report)


def why_run_again(part: Part, wanted: Wants, report: HostReport) -> str | None:
    """Why a unit has to be restarted though its files are as they were: its program is another one."""
    binary = f"{BINARIES}{part.value}"
    if binary in wanted.bundle and report.bundle.get(binary) != wanted.bundle[binary]:
        return "its binary differs"
    unit = report.units.get(part.value)
    return "its binary is newer than it" if unit is not None and unit.binary_replaced else None


def _why_read_keys_again(wanted: Wants, due: Iterable[str], report: HostReport) -> str | None:
    """Why haproxy has to read its keys again: they are about to be written, or were and nobody took them up."""
    if HAPROXY_CLIENT not in wanted.identity:
        return None
    if any(path.startswith(ETCD_PKI) for path in due):
        return "its keys are due"
    since = taken_up_at(Part.HAPROXY, report)
    if since is not None and any(report.files[path].changed_at > since for path in HAPROXY_KEYS):
        return "its keys are newer than it"
    return None


def taken_up_at(part: Part, report: HostReport) -> float | None:
    """When this part's files were last read, in seconds since the epoch; by what it made where kubeadm reads them."""
    if part in MADE_BY_KUBEADM:
        made = report.files.get(MADE_BY_KUBEADM[part])
        return made.changed_at if made else None
    unit = report.units.get(part.value)
    return unit.since if unit else None


def unit_step(kind: Kind, host: str, unit: str, report: HostReport, why: str | None) -> Step | None:
    """Bring a unit up; one that runs and is enabled, only for ``why``."""
    state = report.units.get(unit)
    if state is None:
        return Step(kind, host, f"{unit} not there yet", (unit,))
    if not state.active:
        return Step(kind, host, f"{unit} is stopped", (unit,))
    if not state.enabled:
        return Step(kind, host, f"{unit} is disabled", (unit,))
    return Step(kind, host, f"{unit}: {why}", (unit,)) if why else None


def step_on(kind: Kind, host: str, items: tuple[str, ...], why: str) -> Step | None:
    """A step when there is something to do it to."""
    return Step(kind, host, why, items) if items else None


def few(names: Sequence[str], most: int = 3) -> str:
    """Names as a line can hold them."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def reasons(keys: Mapping[str, str]) -> str:
    """What is due, those with the same reason together."""
    grouped: dict[str, list[str]] = {}
    for path, why in keys.items():
        grouped.setdefault(why, []).append(path)
    return "; ".join(f"{few(paths)}: {why}" for why, paths in grouped.items())
