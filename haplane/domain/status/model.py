"""The result of ``haplane status``: a cluster as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from haplane.domain.assessment import Recovery
from haplane.domain.problem import Problem
from haplane.domain.snapshot_status import Snapshots
from haplane.domain.status.certificates import Certificates
from haplane.errors import INVENTORY


@dataclass(frozen=True)
class Roster:
    """The inventory's names; by name, each host's address and the units that have to be up there.

    ``identity``: paths of the files on masters that make the cluster this cluster. ``snapshot_interval`` in seconds
    is None where no snapshots are taken. ``own_pod_network``: flannel, as haplane applies it; ``pod_tunnel``: by
    VXLAN. ``tables`` are those that nftables has on every node. ``inventory`` is its path, for commands.
    ``api_servers``: by node, what its kubeconfigs may name; ``without_swap`` are nodes whose kubelet does not start
    while swap is on. ``files``: by host, paths of what haplane puts there and kubeadm's keys;
    ``changed``: those that are not as haplane would write them now; ``programs``: of the bundle's, if there is one.
    """

    cluster: str
    endpoint: str
    endpoint_is_external: bool
    kubernetes_version: str
    masters: tuple[str, ...]
    etcd: tuple[str, ...]
    balancers: tuple[str, ...]
    workers: tuple[str, ...]
    addresses: Mapping[str, str]
    units: Mapping[str, tuple[str, ...]]
    identity: tuple[str, ...]
    snapshot_interval: int | None = None
    leaving: tuple[str, ...] = ()
    etcd_quota_bytes: int | None = None
    pod_network: str = ""
    service_network: str = ""
    own_pod_network: bool = True
    pod_tunnel: bool = True
    tables: tuple[str, ...] = ()
    apiserver_port: int = 6443
    inventory: str = INVENTORY
    dns_domain: str = "cluster.local"
    without_swap: tuple[str, ...] = ()
    api_servers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ssh: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ClusterStatus:
    """``uid`` is that of the kube-system namespace, None while no API server tells it."""

    name: str
    endpoint: str
    kubernetes_version: str
    uid: str | None


@dataclass(frozen=True)
class MasterStatus:
    """``ready`` is the Node's condition, ``apiserver_ready`` the API server's own /readyz."""

    name: str
    address: str
    reachable: bool
    ready: bool
    apiserver_ready: bool
    kubelet_version: str | None


@dataclass(frozen=True)
class MemberStatus:
    """``id`` is hexadecimal as etcdctl prints it; ``healthy`` means that it reads through quorum.

    ``alarms`` are etcd's about this member (CORRUPT, NOSPACE), ``failure`` why it does not run. ``unknown``: its host
    answered, and could not ask it.
    """

    name: str
    id: str | None
    address: str
    healthy: bool
    leader: bool
    learner: bool
    db_bytes: int | None
    revision: int | None
    db_in_use_bytes: int | None = None
    quota_bytes: int | None = None
    alarms: tuple[str, ...] = ()
    failure: str | None = None
    unknown: bool = False


@dataclass(frozen=True)
class Quorum:
    """``can_lose``: how many more of the healthy ones may be lost before writes stop."""

    voters: int
    healthy: int
    needed: int
    can_lose: int


@dataclass(frozen=True)
class EtcdCluster:
    """All members, and the arithmetic."""

    members: tuple[MemberStatus, ...]
    quorum: Quorum


@dataclass(frozen=True)
class BalancerStatus:
    """``haproxy``: it answers on its admin socket. ``adverts_filtered``: of VRRP, None where that is not known."""

    name: str
    reachable: bool
    haproxy: bool
    holds_endpoint: bool
    adverts_filtered: bool | None = None


@dataclass(frozen=True)
class NodeStatus:
    """A worker as the API servers report it; ``kubelet_version`` is None for one that they do not know.

    ``note``: what there is to know about a node that the inventory does not name.
    """

    name: str
    ready: bool
    kubelet_version: str | None
    note: str | None = None


@dataclass(frozen=True)
class Status:
    """One moment of the cluster. ``problems`` say why it is not healthy, ``notes`` what may be meant."""

    cluster: ClusterStatus
    healthy: bool
    problems: tuple[Problem, ...]
    masters: tuple[MasterStatus, ...]
    workers: tuple[NodeStatus, ...]
    etcd: EtcdCluster
    load_balancers: tuple[BalancerStatus, ...]
    snapshots: Snapshots
    certificates: Certificates
    recovery: Recovery | None = None
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """The problems, for people."""
        return tuple(str(one) for one in self.problems)

    def document(self) -> dict[str, object]:
        """For --json."""
        return asdict(self) | {"problems": self.lines}
