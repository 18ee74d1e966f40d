"""What a host reports of itself, validated: reports are untrusted input.

The shape is that of ``facts/on_host/observe.py``. Everything is frozen; unknown keys are ignored, so that a newer
observer can be read by an older haplane.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

from pydantic import Field

from haplane.domain import host_paths
from haplane.domain.apiserver_report import Apiserver
from haplane.domain.balancer_report import Balancer
from haplane.domain.cluster_health import Components, Conversion, Precedence, Workloads
from haplane.domain.consensus import agreed_view
from haplane.domain.etcd_report import Etcd, EtcdMember
from haplane.domain.findings import Findings
from haplane.domain.host_condition import HostCondition, Kubelet
from haplane.domain.names import NodeName, ProgramName, UnitName
from haplane.domain.pod_network_report import NodeNetwork, PodNetwork
from haplane.domain.reported import Count, Number, Observed, Sha256, ShortText
from haplane.domain.restoration import Leftovers
from haplane.domain.snapshot_report import SnapshotReport
from haplane.domain.surroundings import Surroundings
from haplane.domain.tokens import Tokens


class Machine(Observed):
    """The machine itself. Sizes in bytes, of the fullest disk that images go to: ``disk`` is its mount.

    ``programs_free_bytes`` is of the file system of /usr/local/bin, where haplane's directory is on another.
    """

    os_id: str
    os_version: str
    architecture: str
    init: str
    user_id: Count
    memory_bytes: Count
    swap_bytes: Count
    disk_free_bytes: Count
    disk_bytes: Count = 0
    programs_free_bytes: Count | None = None
    disk: Annotated[str, Field(pattern=r"^/var/lib(/[a-z]+)?$")] = "/var/lib"
    cgroups: str
    missing_commands: tuple[str, ...]
    python: str = ""


class File(Observed):
    """A regular file. ``mode`` holds the permission bits, ``changed_at`` is in seconds since the epoch.

    ``owner`` is a user's name, "" where it is not known.
    """

    sha256: Sha256
    mode: Count
    user_id: Count
    changed_at: Number = 0
    owner: Annotated[str, Field(max_length=64)] = ""


class Unit(Observed):
    """A loaded systemd unit. In seconds since the epoch, ``since`` is its last change of state, ``active_since`` the
    moment it became active.

    ``binary_replaced``: the program it runs is no longer the one on the disk; ``missing_program``: the path of one
    that it would be started with and that is not there or not executable. ``starting``: systemd is about to start
    it, also again and again. ``drop_ins``: paths of what changes it. ``why``: what one that failed complained of,
    etcd's aside.
    """

    active: bool
    enabled: bool
    needs_reload: bool
    since: Number = 0
    binary_replaced: bool = False
    missing_program: ShortText = ""
    active_since: Number = 0
    starting: bool = False
    drop_ins: tuple[str, ...] = ()
    masked: bool = False
    why: ShortText = ""

    @property
    def foreign_drop_ins(self) -> tuple[str, ...]:
        """Those of this unit's own that haplane has not written; ``service.d`` is for every service of the host."""
        split = [(path, *path.rsplit("/", 2)[-2:]) for path in self.drop_ins if path.count("/") > 1]
        return tuple(path for path, of, name in split if of != "service.d" and not name.startswith("haplane"))


class ServingRequest(Observed):
    """A CertificateSigningRequest that nobody has decided on; ``pem`` is the request itself, by its requestor."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
    signer: str
    username: str
    groups: tuple[str, ...]
    usages: tuple[str, ...]
    pem: str


class Node(Observed):
    """A Node object. ``taints`` are KEY:EFFECT; ``why`` is what its kubelet says where it is not ready.

    ``runtime_version`` is NAME://VERSION, or "" for one that has never started.

    ``pressures`` are the conditions that are true and keep pods away: DiskPressure, NetworkUnavailable, and so on.

    ``chosen`` are those labels that the inventory sets anywhere, as NAME=VALUE.
    ``addresses`` are all that it has of itself, names among them; ``unverified`` is why an API server cannot verify
    its kubelet's serving certificate, ``closed`` that it gets no connection to it, ``refuses`` the status with which
    the kubelet lets it read no logs. ``cordoned_by`` is the verb of haplane's that cordoned it, "" for none.
    ``pod_network`` is where its pods' addresses are from, "" while that is
    not known; ``unannounced``: it lacks what flannel notes there when it starts, for the other nodes. ``deleted``:
    somebody did, and finalizers hold it.
    """

    name: NodeName
    uid: str
    ready: bool
    labels: tuple[str, ...]
    chosen: tuple[str, ...] = ()
    taints: tuple[str, ...]
    unschedulable: bool
    kubelet_version: str
    runtime_version: ShortText = ""
    address: str
    why: str = ""
    pressures: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    unverified: str | None = None
    closed: bool = False
    refuses: ShortText = ""
    cordoned_by: str = ""
    pod_network: NodeNetwork = ""
    unannounced: bool = False
    deleted: bool = False


class Kubernetes(Observed):
    """The cluster as the API server on this host tells it; ``uid`` is that of the kube-system namespace.

    ``objects`` names those of haplane's once-only objects that exist; ``applied`` is the fingerprint of what was
    last applied through the API.
    """

    uid: str | None
    nodes: tuple[Node, ...]
    objects: tuple[str, ...] = ()
    applied: str | None = None
    coredns_ready: Count = 0
    coredns_why: str = ""
    serving_requests: tuple[ServingRequest, ...] = ()


UNUSABLE = "it cannot be read, or its key does not match it"
"""What a certificate that is reported as empty has."""


class HostReport(Observed):
    """One host's whole answer. Times are seconds since the epoch by that host's clock.

    ``failed``: the parts that could not be looked at, empty above, and why; ``lacks`` has the program that is not
    installed where that is why. ``settings``: what
    kubeadm's configuration there says of that which a cluster, and the host in it, keeps as long as it exists.
    ``servers``: the API server that each kubeconfig names, by its path; ``unusable``: why kubeconfigs are of no use.
    ``made``: the digests that files had when kubeadm had made them for haplane. ``leftovers``: of restores.
    ``components``, ``workloads``, ``precedence``: :mod:`haplane.domain.cluster_health`; ``workloads`` is None where
    no API server answers.
    """

    machine: Machine
    addresses: dict[str, tuple[str, ...]]
    listening: dict[Count, str]
    files: dict[str, File]
    made: dict[str, Sha256] = Field(default_factory=dict)
    servers: dict[str, ShortText] = Field(default_factory=dict)
    unusable: dict[ShortText, ShortText] = Field(default_factory=dict)
    bundle: dict[str, Sha256]
    certificates: dict[str, str]
    units: dict[UnitName, Unit]
    images: tuple[str, ...] | None
    etcd: Etcd
    apiserver: Apiserver
    kubernetes: Kubernetes | None
    balancer: Balancer
    snapshots: SnapshotReport | None
    settings: dict[str, str] = Field(default_factory=dict)
    leftovers: Leftovers = Leftovers()
    components: Components = Components()
    workloads: Workloads | None = None
    precedence: Precedence = Precedence()
    surroundings: Surroundings = Surroundings()
    kubelet: Kubelet = Kubelet()
    condition: HostCondition = HostCondition()
    findings: Findings | None = None
    pod_network: PodNetwork = PodNetwork()
    tokens: Tokens = Tokens()
    conversions: Annotated[tuple[Conversion, ...], Field(max_length=100)] = ()
    failed: dict[str, str] = Field(default_factory=dict)
    lacks: dict[str, ProgramName] = Field(default_factory=dict)
    started_at: Number
    finished_at: Number

    @property
    def fresh(self) -> bool:
        """Nothing of a cluster is on this machine: no identity, no etcd data, no API server."""
        return not (self.etcd.has_data or self.etcd.bootstrapped or host_paths.KUBERNETES_CA_CRT in self.files)

    def interface_of(self, address: str) -> str | None:
        """The interface that has this address."""
        return next((name for name, found in self.addresses.items() if address in found), None)

    def is_without(self, address: str) -> bool:
        """Whether no interface has it; not where that is unknown."""
        return "addresses" not in self.failed and self.interface_of(address) is None


@dataclass(frozen=True)
class LeftOut:
    """Why a host that answers is treated as if it were unreachable, and what lets it in again."""

    why: str
    next_step: str


@dataclass(frozen=True)
class Observation:
    """One moment of the whole cluster: a report for each host that answered, a reason for each that did not.

    ``left_out`` are those of the latter that answered too.
    """

    reports: Mapping[str, HostReport]
    unreachable: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, LeftOut] = field(default_factory=dict)

    def of(self, names: Iterable[str]) -> list[HostReport]:
        """Reports of those of the named hosts that answered."""
        return [self.reports[name] for name in names if name in self.reports]

    def with_ready_apiserver(self, names: Iterable[str]) -> list[str]:
        """Those of the named hosts that answered and whose API server is ready."""
        return [name for name in names if name in self.reports and self.reports[name].apiserver.ready]

    def without(self, left_out: Mapping[str, LeftOut]) -> Observation:
        """The same moment as if these hosts could not be reached, each for the reason given."""
        reports = {name: report for name, report in self.reports.items() if name not in left_out}
        lost = {name: f"left out: {one.why}" for name, one in left_out.items()}
        return Observation(reports=reports, unreachable={**self.unreachable, **lost}, left_out=dict(left_out))

    def kubernetes(self) -> Kubernetes | None:
        """The cluster as a majority of the API servers that answer reports it; None while none does."""
        return self._kubernetes

    @cached_property
    def _kubernetes(self) -> Kubernetes | None:
        """Kept: every look and every judgement asks for it several times, and hosts may be many."""
        return agreed_view([report.kubernetes for report in self.reports.values() if report.kubernetes is not None])


def views_of(reports: Iterable[HostReport]) -> list[Workloads]:
    """What each API server reports: none of them hides what another one sees."""
    return [report.workloads for report in reports if report.workloads is not None]


def listed_members(reports: Iterable[HostReport]) -> tuple[EtcdMember, ...]:
    """The member list that more than half of the settled members report; empty when no list has so many.

    Those that are down count against the majority. Before any member is settled, those that report a list vote.
    """
    asked = list(reports)
    voters = [report.etcd for report in asked if report.etcd.bootstrapped and report.etcd.has_data]
    voters = voters or [report.etcd for report in asked if report.etcd.members]
    reported = Counter(frozenset(etcd.members) for etcd in voters if etcd.members)
    for members, votes in reported.most_common(1):
        if 2 * votes > len(voters):
            return tuple(sorted(members, key=lambda member: member.id))
    return ()
