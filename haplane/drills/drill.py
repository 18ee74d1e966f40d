"""What a drill is: a fault that is planned, announced, armed, applied, measured and always undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from haplane.config.model import Host, Inventory
from haplane.domain.progress import Progress
from haplane.domain.quorum import MemberState, may_stop
from haplane.domain.status import MemberStatus, Status
from haplane.drills.limits import Figure, Limits
from haplane.drills.probing.client import Client
from haplane.drills.probing.lanes import State
from haplane.drills.probing.recording import Recording
from haplane.drills.probing.timeline import Request
from haplane.errors import Refused
from haplane.executor import Executor
from haplane.machines.protocol import Machines, Part
from haplane.machines.watchdog import on_host
from haplane.remote.target import port_of
from haplane.scripts import script

HELD_SECONDS = 60.0
"""How long a fault lasts at most while there is no steady service."""


@dataclass(frozen=True, kw_only=True)
class DrillContext:
    """All a drill may use. ``look`` observes the cluster anew with every call.

    As a client of the endpoint: ``client`` is the administrator's, ``probe`` starts reads and writes in a namespace,
    ``watch`` what the cluster's parts report.

    ``haplane`` runs another verb of ours with these words in a process of its own, and raises HaplaneError when it
    ends with none of ``codes`` (0). ``forced``: the user accepts what cannot be undone. ``turn``: how many runs of a
    series there have been of this drill.
    """

    inventory: Inventory
    executor: Executor
    machines: Machines
    look: Callable[[], Status]
    client: Client
    probe: Callable[[str], Recording[Request]]
    watch: Callable[[], Recording[State]]
    haplane: Callable[..., str]
    forced: bool = False
    turn: int = 0

    @property
    def progress(self) -> Progress:
        """Who is told."""
        return self.executor.progress


def nothing() -> None:
    """What most faults do before, meanwhile and afterwards."""


@dataclass(frozen=True)
class Fault:
    """One outage, decided but not begun. ``announcement`` is a sentence.

    ``host`` may be several names, ``role`` is what they are at this moment, as in "the etcd leader". ``parts`` are
    armed one after the other before the first is applied. The fault lasts until service is steady again, at least
    ``at_least`` and at most ``at_most`` seconds. ``off`` are the hosts that cannot hold the cluster's lock meanwhile.

    ``prepare`` is called before, ``work`` once the fault is in place, ``then`` after it was undone, ``clean_up``
    however that went. ``runs_verbs``: they call other verbs, which take the lock themselves. ``measured`` gives
    figures of this drill's own at the end.
    """

    host: str
    role: str
    announcement: str
    parts: Sequence[Part] = ()
    at_least: float = 0.0
    at_most: float = HELD_SECONDS
    off: Sequence[str] = ()
    prepare: Callable[[], object] = nothing
    work: Callable[[], object] = nothing
    then: Callable[[], object] = nothing
    clean_up: Callable[[], object] = nothing
    runs_verbs: bool = False
    measured: Callable[[], Sequence[Figure]] = tuple

    @property
    def warning(self) -> str:
        """The announcement, and that clients will notice where something of the cluster is taken away."""
        return f"This causes a real outage. {self.announcement}" if self.parts else self.announcement


@dataclass(frozen=True)
class Drill:
    """A drill by name. ``plan`` takes the context, the cluster's present status and the host that the user named.

    ``is_outage``: the whole cluster is down meanwhile. ``destroys``: data of hosts, so it is for labs unless forced.
    """

    name: str
    summary: str
    plan: Callable[[DrillContext, Status, str | None], Fault]
    limits: Limits = field(default_factory=Limits)
    is_outage: bool = False
    destroys: bool = False


def shell(host: Host, apply: str, undo: str) -> Part:
    """A part that a shell script makes on a host and another one undoes there, whatever becomes of us."""
    return lambda seconds: on_host(host, apply, undo, seconds)


def cut(host: Host, peers: Sequence[Host], *, sent: bool = True, percent: int = 100, only: str = "") -> Part:
    """The part that drops packets from the peers and, with ``sent``, to them; SSH goes on.

    ``only`` is an expression of nft that the packets match.
    """
    addresses = [str(peer.address) for peer in peers if peer.name != host.name]
    output = "daddr" if sent else ""
    drop = script(
        "drop_packets", addresses, output=output, percent=str(percent), only=only, ssh_port=str(port_of(host.ssh))
    )
    return shell(host, drop, script("stop_dropping_packets"))


def power_cut(context: DrillContext, status: Status, host: str, role: str) -> Fault:
    """The fault of several drills: one host loses its power and gets it back.

    Raises Refused where nothing would be left to serve.
    """
    refuse_fatal(context, status, host)
    return Fault(
        host=host,
        role=role,
        announcement=f"It cuts the power of {host} ({role}) and restores it once service has recovered.",
        parts=(context.machines.power_cut((host,)),),
        off=(host,),
    )


def refuse_fatal(context: DrillContext, status: Status, host: str) -> None:
    """Raise Refused if the cluster cannot serve without this host."""
    if reason := why_fatal(context.inventory, status, host):
        raise Refused(
            f"without {host} nothing would be left to serve the API", where=context.inventory.cluster.name, why=reason
        )


def why_fatal(inventory: Inventory, status: Status, host: str) -> str | None:
    """Why the cluster cannot serve without this host, None if it can."""
    members = {member.name: _state(member) for member in status.etcd.members}
    if host in members and not (verdict := may_stop(members, host)).allowed:
        return verdict.arithmetic
    if [master.name for master in inventory.masters] == [host]:
        return "it is the only master"
    return None


def _state(member: MemberStatus) -> MemberState:
    if member.learner:
        return MemberState.LEARNER
    return MemberState.HEALTHY if member.healthy else MemberState.UNHEALTHY
