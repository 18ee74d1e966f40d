"""What a plan is, and what single hosts, etcd and the cluster need. Pure: no I/O, no clock.

The invariant: an empty plan means that every host is as the inventory says; carrying out a plan and deciding again
gives an empty plan. Steps say nothing of order or of how; phases do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from haplane.domain import host_paths
from haplane.domain.files import WantedFile

MASTER_EVIDENCE = (
    host_paths.KUBELET_KUBECONFIG,
    host_paths.ADMIN_KUBECONFIG,
    *host_paths.COMPONENT_KUBECONFIGS,
    *host_paths.CONTROL_PLANE_MANIFESTS,
    host_paths.KUBELET_CONFIG_YAML,
)
"""A master without one of these has not been through kubeadm's phases, or has lost what they made."""


FLUSHED = "its nftables table was removed"
EXPIRED = "its certificates have expired"
CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"
EXCLUDE_FROM_BALANCERS_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
CONTROL_PLANE_LABELS = frozenset({CONTROL_PLANE_LABEL, EXCLUDE_FROM_BALANCERS_LABEL})
MADE_LABEL = "haplane.node-restriction.kubernetes.io/made"
"""On every Node that haplane made. NodeRestriction lets no kubelet set a label under that suffix."""

CONTROL_PLANE_TAINT = f"{CONTROL_PLANE_LABEL}:NoSchedule"
THE_CLUSTER = "the cluster"
"""What stands for a host in a step that is done once."""


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
    SPACE = "compact and defragment etcd"
    BALANCER = "start the load balancer"
    UNDRAIN = "undrain servers"
    DELETE_NODE = "delete its Node object"
    INITIALISE = "run kubeadm's phases"
    CERTIFICATES = "renew kubeadm's certificates"
    RECOVER = "renew the control plane's expired certificates"
    KUBELET_CLIENT = "issue the kubelet client certificate"
    SERVING = "load the kubelet's new serving certificate"
    APPROVE = "approve kubelet serving certificates"
    CONTROL_PLANE = "restart the control plane"
    LEAD = "restart the scheduler or controller manager"
    KUBELET_CONFIG = "reconfigure the kubelet"
    KUBELET = "start the kubelet"
    TIDY = "remove super-admin.conf"
    TIDY_STAGED = "remove files that an upgrade staged or replaced"
    CLUSTER = "apply cluster-wide objects"
    REPLACE_PODS = "replace its network's pods"
    MARK = "set labels and taints"
    JOIN = "join as a worker"
    MARK_WORKERS = "label its Node as managed by haplane"
    DECOMMISSION = "decommission"
    SEAL = "seal the cluster's keys for snapshots"
    AGENT = "install the snapshot agent"
    SCHEDULE = "start the snapshot timer"
    BUCKET = "check access to the snapshot bucket"
    UNSCHEDULE = "disable the snapshot timer"
    SNAPSHOT = "take and verify a snapshot"
    STAGE = "stage binaries and images"
    UPGRADE_ETCD = "upgrade etcd"
    UPGRADE_CONTROL_PLANE = "upgrade the control plane"
    UPGRADE_NODE = "upgrade kubelet and container runtime"
    RESET = f"stop everything, move etcd's data and all keys to {host_paths.RESET}, remove the rest"
    DISCARD = "delete old etcd data"
    DRAIN = "cordon and drain"
    UNCORDON = "uncordon"
    REBOOT = "reboot"
    PATCH = "upgrade its packages, and reboot if they need it"
    REMOVE = "remove from the cluster for good"


@dataclass(frozen=True)
class Step:
    """One thing to do on one host. ``items`` are what it is done to: paths, images, units, packages, certificates."""

    kind: Kind
    host: str
    why: str
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wants:
    """What one host should be. ``bundle`` maps paths to digests, ``keys`` paths of certificates to why they are due.

    ``certificates`` maps those that kubeadm renews, by its own names for them, to why they are due. ``expired`` are
    the paths of all that have expired; ``kubelet_client`` is why the kubelet needs a client certificate from us.
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
    etcd_quota_bytes: int | None = None
    expired: frozenset[str] = frozenset()
    kubelet_client: str | None = None


@dataclass(frozen=True)
class ClusterWants:
    """What the cluster as a whole should be. ``applied`` is the fingerprint of the once-only objects.

    ``tables`` are those that nftables has on every node. ``pod_tunnel``: flannel has one. ``labels`` by node, as
    NAME=VALUE: what else a node has stays.
    """

    masters: tuple[str, ...]
    etcd: tuple[str, ...]
    workers: tuple[str, ...]
    masters_run_pods: bool
    applied: str
    tables: tuple[str, ...] = ()
    pod_tunnel: bool = False
    leaving: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Steps, in no order but their hosts'."""

    steps: tuple[Step, ...] = ()

    def ordered(self, hosts: Sequence[str]) -> Plan:
        """The same steps with their hosts in this order, others last; changes of membership keep their own."""
        places = {name: place for place, name in enumerate(hosts)}
        last = len(places)
        return Plan(
            tuple(
                sorted(self.steps, key=lambda step: 0 if step.kind is Kind.MEMBERS else places.get(step.host, last))
            )
        )

    @property
    def changes(self) -> tuple[tuple[Kind, str, tuple[str, ...]], ...]:
        """What is done, where and to what, without why: plans with equal ones do the same."""
        return tuple((step.kind, step.host, step.items) for step in self.steps)

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


def few(names: Sequence[str], most: int = 3) -> str:
    """Names as a line can hold them."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def are(names: Sequence[str]) -> str:
    """The same as the beginning of a sentence about them."""
    return f"{few(names)} {'is' if len(names) == 1 else 'are'}"


def reasons(keys: Mapping[str, str]) -> str:
    """What is due, those with the same reason together."""
    grouped: dict[str, list[str]] = {}
    for path, why in keys.items():
        grouped.setdefault(why, []).append(path)
    return "; ".join(f"{few(paths)}: {why}" for why, paths in grouped.items())
