"""From one observation to what an operator wants to know. Pure.

It holds with hosts down, without quorum, and before ``up``: what nobody could tell is said to be unknown, never fine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from haplane.domain.members import CORRUPT_ALARM, corrupt, differ, is_corrupt
from haplane.domain.observed import EtcdMember, EtcdStatus, HostReport, Kubernetes, Node, Observation, listed_members
from haplane.domain.quorum import can_lose, majority
from haplane.domain.recovery import Recovery, keys_are_lost, summarise_recovery
from haplane.domain.snapshot_status import Snapshots, snapshot_problems, summarise_snapshots


@dataclass(frozen=True)
class Roster:
    """The inventory's names; by name, each host's address and the units that have to be up there.

    ``identity``: paths of the files on masters that make the cluster this cluster. ``snapshot_interval`` in seconds
    is None where no snapshots are taken.
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
    """``id`` is hexadecimal as etcdctl prints it; ``healthy`` means that it reads through quorum."""

    name: str
    id: str | None
    address: str
    healthy: bool
    leader: bool
    learner: bool
    db_bytes: int | None
    revision: int | None


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
    """``haproxy``: it answers on its admin socket."""

    name: str
    reachable: bool
    haproxy: bool
    holds_endpoint: bool


@dataclass(frozen=True)
class NodeStatus:
    """A worker as the API server tells it; ``kubelet_version`` is None for one that it does not know."""

    name: str
    ready: bool
    kubelet_version: str | None


@dataclass(frozen=True)
class Certificates:
    """The first to expire of all that were seen on any host; ``file`` is HOST:PATH of it."""

    expires_first: str | None
    days_left: float | None
    file: str | None = None


@dataclass(frozen=True)
class Status:
    """One moment of the cluster. ``problems`` say why it is not healthy."""

    cluster: ClusterStatus
    healthy: bool
    problems: tuple[str, ...]
    masters: tuple[MasterStatus, ...]
    workers: tuple[NodeStatus, ...]
    etcd: EtcdCluster
    load_balancers: tuple[BalancerStatus, ...]
    snapshots: Snapshots
    certificates: Certificates
    recovery: Recovery | None = None

    def document(self) -> dict[str, object]:
        """For --json."""
        return asdict(self)


def summarise(
    roster: Roster, observation: Observation, *, endpoint_answers: bool, certificates: Certificates, now: datetime
) -> Status:
    """``endpoint_answers``: /readyz through the endpoint, asked from the controller; hosts have asked it too.

    One that hears it is enough: the controller may be outside the endpoint's network.
    """
    kubernetes = observation.kubernetes()
    nodes = {node.name: node for node in kubernetes.nodes} if kubernetes else {}
    masters = tuple(_master(name, roster, observation, nodes) for name in roster.masters)
    etcd = _etcd(roster, observation)
    balancers = tuple(_balancer(name, observation) for name in roster.balancers)
    endpoint_ready = endpoint_answers or any(
        report.balancer.endpoint_ready for report in observation.reports.values()
    )
    workers = tuple(_worker(name, nodes.get(name)) for name in sorted({*roster.workers, *nodes} - {*roster.masters}))
    keys_lost = keys_are_lost(roster.masters, observation.reports, roster.identity)
    recovery = summarise_recovery(roster.etcd, observation.reports, keys_lost=keys_lost)
    snapshots = summarise_snapshots(roster.snapshot_interval, roster.etcd, observation, now)
    problems = (
        *(f"{name}: not reachable ({why})" for name, why in sorted(observation.unreachable.items())),
        *_failed_probes(observation),
        *_unit_problems(roster, observation),
        *_master_problems(masters),
        *(f"worker {worker.name}: not Ready" for worker in workers if not worker.ready),
        *_damaged_members(roster, observation),
        *_etcd_problems(etcd),
        *_balancer_problems(roster, balancers),
        *_unserved_masters(roster, observation),
        *([] if endpoint_ready else [f"the endpoint {roster.endpoint} does not answer ready"]),
        *_dns_problems(kubernetes),
        *_certificate_problems(certificates),
        *snapshot_problems(snapshots, roster.etcd, observation, now),
        *recovery.problems,
    )
    return Status(
        cluster=ClusterStatus(
            name=roster.cluster,
            endpoint=roster.endpoint,
            kubernetes_version=roster.kubernetes_version,
            uid=kubernetes.uid if kubernetes else None,
        ),
        healthy=not problems,
        problems=problems,
        masters=masters,
        workers=workers,
        etcd=etcd,
        load_balancers=balancers,
        snapshots=snapshots,
        recovery=recovery,
        certificates=certificates,
    )


def passing_problems(status: Status, unreachable: Collection[str]) -> tuple[str, ...]:
    """Those that waiting may cure: an unreachable host, what it lacks, and an old certificate are not among them."""
    lasting = [f"{kind}{name}:" for name in unreachable for kind in ("", "etcd member ", "worker ")]
    if unreachable:
        lasting.append("only 1 CoreDNS pod")  # the other one may have been there
    prefixes = (*lasting, *_certificate_problems(status.certificates))
    return tuple(problem for problem in status.problems if not problem.startswith(prefixes))


def _failed_probes(observation: Observation) -> list[str]:
    return [
        f"{name}: its {part} cannot be looked at ({why})"
        for name, report in sorted(observation.reports.items())
        for part, why in sorted(report.failed.items())
    ]


def _unit_problems(roster: Roster, observation: Observation) -> list[str]:
    """Stopped is redundancy gone now, disabled is redundancy gone with the next power cut."""
    found = []
    for name, report in observation.reports.items():
        for unit in roster.units.get(name, ()):
            state = report.units.get(unit)
            if state is None or not state.active:
                found.append(f"{name}: {unit} is not running")
            elif not state.enabled:
                found.append(f"{name}: {unit} is disabled, it would not start with the machine")
    return found


def _unserved_masters(roster: Roster, observation: Observation) -> list[str]:
    """Ready API servers that a load balancer sends nothing to, or no longer checks."""
    ready = {name for name in roster.masters if name in observation.reports}
    ready = {name for name in ready if observation.reports[name].apiserver.ready}
    return [
        f"{name} {'does not check' if server.status == 'no check' else 'sends nothing to'} {server.name}"
        f" ({server.status})"
        for name in roster.balancers
        if name in observation.reports
        for server in observation.reports[name].balancer.servers or ()
        if server.backend == "apiservers" and server.name in ready and not server.status.startswith("UP")
    ]


def _dns_problems(kubernetes: Kubernetes | None) -> list[str]:
    if kubernetes is None or kubernetes.coredns_ready >= min(2, len(kubernetes.nodes)):
        return []
    if kubernetes.coredns_ready == 0:
        return ["no CoreDNS pod is ready: pods cannot resolve names"]
    return ["only 1 CoreDNS pod is ready: without it pods cannot resolve names"]


def _master(name: str, roster: Roster, observation: Observation, nodes: Mapping[str, Node]) -> MasterStatus:
    report = observation.reports.get(name)
    node = nodes.get(name)
    return MasterStatus(
        name=name,
        address=roster.addresses[name],
        reachable=report is not None,
        ready=node is not None and node.ready,
        apiserver_ready=report is not None and report.apiserver.ready,
        kubelet_version=node.kubelet_version if node else None,
    )


def _worker(name: str, node: Node | None) -> NodeStatus:
    return NodeStatus(name, node is not None and node.ready, node.kubelet_version if node else None)


def _master_problems(masters: tuple[MasterStatus, ...]) -> list[str]:
    reachable = [master for master in masters if master.reachable]
    not_serving = [
        f"{master.name}: its API server is not ready" for master in reachable if not master.apiserver_ready
    ]
    return not_serving + [f"{master.name}: node not Ready" for master in masters if not master.ready]


def _etcd(roster: Roster, observation: Observation) -> EtcdCluster:
    told = listed_members(observation.of(roster.etcd))
    listed = {member.name: member for member in told}
    members = tuple(_member(name, roster, observation.reports.get(name), listed.get(name)) for name in roster.etcd)
    voters = sum(not member.is_learner for member in told) or len(roster.etcd)
    healthy = sum(member.healthy and not member.learner for member in members)
    return EtcdCluster(members, Quorum(voters, healthy, majority(voters), can_lose(voters, healthy)))


def _member(name: str, roster: Roster, report: HostReport | None, listed: EtcdMember | None) -> MemberStatus:
    status = report.etcd.status if report else None
    return MemberStatus(
        name=name,
        id=format(listed.id, "x") if listed else None,
        address=roster.addresses[name],
        healthy=bool(report and status and report.etcd.reads_through_quorum and not _complaints(status)),
        leader=bool(status and status.leader == status.header.member_id),
        learner=bool(listed and listed.is_learner),
        db_bytes=status.db_size if status else None,
        revision=status.header.revision if status else None,
    )


def _complaints(status: EtcdStatus) -> list[str]:
    """What etcd says of this member; of alarms about another one's data all members tell."""
    mine = f"memberID:{status.header.member_id} "
    return [error for error in status.errors if not CORRUPT_ALARM.search(error) or mine in error]


def _damaged_members(roster: Roster, observation: Observation) -> list[str]:
    damaged = [name for name in roster.etcd if is_corrupt(name, observation.reports)]
    cure = "rebuild it with `haplane node repair`"
    stopped = ", and etcd takes no writes until then" if corrupt(observation.reports.values()) else ""
    found = [f"etcd member {name}: its data are damaged, {cure}{stopped}" for name in damaged]
    if differ(observation.reports.values()):
        found.append(
            "etcd members' data differ and no majority says whose are damaged: etcd takes no writes; "
            "restore a snapshot (`haplane restore INVENTORY --snapshot latest --accept-loss`)"
        )
    return found


def _etcd_problems(etcd: EtcdCluster) -> list[str]:
    found = [f"etcd member {member.name}: not healthy" for member in etcd.members if not member.healthy]
    quorum = etcd.quorum
    if quorum.healthy < quorum.needed:
        found.append(f"etcd has no quorum: {quorum.healthy} of {quorum.voters} healthy, {quorum.needed} needed")
    if quorum.voters != len(etcd.members):
        found.append(f"etcd has {quorum.voters} voters, the inventory names {len(etcd.members)}")
    return found


def _balancer(name: str, observation: Observation) -> BalancerStatus:
    report = observation.reports.get(name)
    return BalancerStatus(
        name=name,
        reachable=report is not None,
        haproxy=report is not None and report.balancer.servers is not None,
        holds_endpoint=report is not None and report.balancer.holds_endpoint,
    )


def _balancer_problems(roster: Roster, balancers: tuple[BalancerStatus, ...]) -> list[str]:
    found = [f"{one.name}: haproxy does not answer" for one in balancers if one.reachable and not one.haproxy]
    holders = [one.name for one in balancers if one.holds_endpoint]
    if len(holders) > 1:
        found.append(f"{' and '.join(holders)} both hold the endpoint's address")
    if balancers and not holders and not roster.endpoint_is_external:
        found.append("no load balancer holds the endpoint's address")
    return found


def _certificate_problems(certificates: Certificates, soon_days: float = 30) -> list[str]:
    days = certificates.days_left
    if days is None or days >= soon_days:
        return []
    return [f"{certificates.file} {f'expires in {days:.0f} days' if days > 0 else 'has expired'}"]
