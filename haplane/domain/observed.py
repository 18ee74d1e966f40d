"""What a host said of itself, validated: hosts' answers are untrusted input.

The shape is that of ``facts/on_host/observe.py``. Everything is frozen; unknown keys are ignored, so that a newer
observer can be read by an older judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from haplane.domain.restoration import Remains
from haplane.errors import HaplaneError

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Observed(BaseModel):
    """Frozen, and tolerant of what it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Machine(Observed):
    """The machine itself. Sizes in bytes."""

    hostname: str
    os_id: str
    os_version: str
    architecture: str
    kernel: str
    init: str
    user_id: int
    cpus: int
    memory_bytes: int
    swap_bytes: int
    disk_free_bytes: int
    cgroups: str
    missing_commands: tuple[str, ...]
    apt: bool
    python: str = ""


class File(Observed):
    """A regular file. ``mode`` holds the permission bits, ``changed_at`` is in seconds since the epoch."""

    sha256: Sha256
    mode: int
    user_id: int
    changed_at: float = 0


class Unit(Observed):
    """A loaded systemd unit. In seconds since the epoch, ``since`` is its last change of state, ``active_since`` the
    moment it became active.

    ``binary_replaced``: the program it runs is no longer the one on the disk.
    """

    active: bool
    enabled: bool
    needs_reload: bool
    since: float = 0
    binary_replaced: bool = False
    active_since: float = 0


class EtcdMember(Observed):
    """One entry of the member list as this member has it."""

    id: Annotated[int, Field(alias="ID")]
    name: str = ""
    peer_urls: Annotated[tuple[str, ...], Field(alias="peerURLs")] = ()
    is_learner: Annotated[bool, Field(alias="isLearner")] = False


class EtcdHeader(Observed):
    """Who answered."""

    cluster_id: int = 0
    member_id: int = 0
    revision: int = 0


class EtcdStatus(Observed):
    """``etcdctl endpoint status`` of the local member. Sizes in bytes."""

    header: EtcdHeader
    version: str = ""
    db_size: Annotated[int, Field(alias="dbSize")] = 0
    leader: int = 0
    is_learner: Annotated[bool, Field(alias="isLearner")] = False
    errors: tuple[str, ...] = ()


class Etcd(Observed):
    """The local member. ``bootstrapped`` says that it has once been part of a healthy cluster.

    ``data_cluster_id`` is of the cluster whose data is on the disk, whether etcd runs or not.
    ``outsiders`` says of members that the inventory does not name, by their IDs in hexadecimal, whether they serve;
    ``complaint`` is why a member that does not come up calls its data damaged.
    """

    bootstrapped: bool
    has_data: bool
    status: EtcdStatus | None
    members: tuple[EtcdMember, ...] | None
    reads_through_quorum: bool
    data_cluster_id: int | None = None
    outsiders: dict[str, bool] = Field(default_factory=dict)
    complaint: str | None = None


class Apiserver(Observed):
    """/readyz of the API server on this host; ``detail`` says what was answered."""

    ready: bool
    detail: str


class Node(Observed):
    """A Node object. ``taints`` are KEY:EFFECT."""

    name: str
    uid: str
    ready: bool
    labels: tuple[str, ...]
    taints: tuple[str, ...]
    unschedulable: bool
    kubelet_version: str
    address: str


class Kubernetes(Observed):
    """The cluster as the API server on this host tells it; ``uid`` is that of the kube-system namespace.

    ``objects`` names those of haplane's once-only objects that exist; ``applied`` is the fingerprint of what was
    last applied through the API.
    """

    uid: str | None
    nodes: tuple[Node, ...]
    objects: tuple[str, ...] = ()
    applied: str | None = None
    coredns_ready: int = 0


class Server(Observed):
    """One line of haproxy's ``show stat``."""

    backend: str
    name: str
    status: str


class Balancer(Observed):
    """``endpoint_answers``: somebody else answers pings at the floating address.

    ``endpoint_ready``: an API server behind the endpoint tells this host that it is ready.
    """

    holds_endpoint: bool
    endpoint_answers: bool
    endpoint_ready: bool = False
    servers: tuple[Server, ...] | None


class LastSnapshot(Observed):
    """The last good one: verified, encrypted, taken with quorum. ``seconds`` is how long the whole of it took."""

    id: str
    taken_at: AwareDatetime
    verified_at: AwareDatetime
    seconds: float


class LastAttempt(Observed):
    """``outcome`` is delivered, without-quorum, local-only or failed."""

    at: AwareDatetime | None
    outcome: str


class LastError(Observed):
    """Why the last run failed; gone after the next good one."""

    at: AwareDatetime | None
    message: str


class SnapshotState(Observed):
    """What the agent remembers of itself."""

    last_good: LastSnapshot | None = None
    last_attempt: LastAttempt | None = None
    last_error: LastError | None = None
    without_quorum: int = 0
    skipped: int = 0


class Sealed(Observed):
    """Which keys the sealed file holds, the digest of that file, and to whom it is encrypted."""

    fingerprint: str
    sha256: Sha256
    recipients: tuple[str, ...]


class SnapshotReport(Observed):
    """``agent`` names the installed one, ``local`` counts whole snapshots kept on the host."""

    agent: str | None = None
    state: SnapshotState | None = None
    sealed: Sealed | None = None
    local: int = 0

    @field_validator("state", "sealed", mode="wrap")
    @classmethod
    def unreadable_is_none(cls, value: object, parse: ValidatorFunctionWrapHandler) -> object:
        """A damaged file of the agent's must not hide everything else that the host says."""
        try:
            return parse(value)
        except ValidationError:
            return None


class HostReport(Observed):
    """One host's whole answer. Times are seconds since the epoch by that host's clock.

    ``failed``: the parts that could not be looked at, empty above, and why. ``settings``: what
    kubeadm's configuration there says of that which a cluster, and the host in it, keeps as long as it exists.
    ``made``: the digests that files had when kubeadm had made them for haplane. ``remains``: of restores.
    """

    machine: Machine
    addresses: dict[str, tuple[str, ...]]
    listening: dict[int, str]
    files: dict[str, File]
    made: dict[str, Sha256] = Field(default_factory=dict)
    bundle: dict[str, Sha256]
    certificates: dict[str, str]
    units: dict[str, Unit]
    images: tuple[str, ...] | None
    etcd: Etcd
    apiserver: Apiserver
    kubernetes: Kubernetes | None
    balancer: Balancer
    snapshots: SnapshotReport | None
    settings: dict[str, str] = Field(default_factory=dict)
    remains: Remains = Remains()
    failed: dict[str, str] = Field(default_factory=dict)
    started_at: float
    finished_at: float

    @property
    def fresh(self) -> bool:
        """Nothing of a cluster is on this machine: no identity, no etcd data, no API server."""
        return not (self.etcd.has_data or self.etcd.bootstrapped or "/etc/kubernetes/pki/ca.crt" in self.files)

    def interface_of(self, address: str) -> str | None:
        """The interface that has this address."""
        return next((name for name, found in self.addresses.items() if address in found), None)


class Observation(BaseModel):
    """One moment of the whole cluster: a report for each host that answered, a reason for each that did not."""

    model_config = ConfigDict(frozen=True)

    reports: dict[str, HostReport]
    unreachable: dict[str, str] = Field(default_factory=dict)

    def of(self, names: Iterable[str]) -> list[HostReport]:
        """Reports of those of the named hosts that answered."""
        return [self.reports[name] for name in names if name in self.reports]

    def kubernetes(self) -> Kubernetes | None:
        """The cluster as told by any API server that answers, one that knows the most nodes first."""
        told = [report.kubernetes for report in self.reports.values() if report.kubernetes is not None]
        return max(told, key=lambda cluster: len(cluster.nodes), default=None)


def parse_report(host: str, text: str) -> HostReport:
    """A host's JSON answer. Raises HaplaneError when it is not of the agreed shape."""
    try:
        return HostReport.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise HaplaneError(
            f"{host} gave an answer that cannot be read",
            where=f"{host}: observation, field {'.'.join(map(str, first['loc'])) or '(all)'}",
            why=first["msg"],
            next_step="check what `python3` and the login shell print on that host, then run again",
        ) from None


def listed_members(reports: Iterable[HostReport]) -> tuple[EtcdMember, ...]:
    """The member list of whichever member has applied the most; empty when nobody tells one."""
    newest = max(
        (report for report in reports if report.etcd.members),
        key=lambda report: report.etcd.status.header.revision if report.etcd.status else 0,
        default=None,
    )
    return newest.etcd.members or () if newest else ()


def agreed(values: Sequence[object]) -> bool:
    """Whether all values are the same."""
    return all(value == values[0] for value in values[1:])
