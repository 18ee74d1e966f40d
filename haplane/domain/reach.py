"""Which ports hosts reach of each other once the cluster runs, and which of them something is in the way of. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from haplane.domain.clocks import CLOCK_TOLERANCE_SECONDS
from haplane.domain.preflight import ETCD_PORTS, KUBELET_PORT
from haplane.errors import HaplaneError

Target = tuple[str, str, int]
"""tcp, udp or vrrp, an address, a port; for VRRP the number of its IP protocol."""
UNTRIED = "not tried"
VXLAN_PORT = 8472
"""flannel's, which is Linux' own default and not the one that was assigned later."""
VRRP = 112
WHAT_FOR = {ETCD_PORTS[0]: "etcd's clients", ETCD_PORTS[1]: "etcd's members", KUBELET_PORT: "kubelets"}


@dataclass(frozen=True)
class Layout:
    """Addresses by role, and the ports that the inventory chooses. ``vxlan``: flannel sends pods' packets so.

    ``unfiltered`` are load balancers without haplane's packet filter, which drops what strangers send by VRRP.
    """

    masters: tuple[str, ...]
    etcd: tuple[str, ...]
    balancers: tuple[str, ...]
    workers: tuple[str, ...]
    apiserver_port: int
    endpoint_port: int
    vxlan: bool
    unfiltered: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reach:
    """One host's answer; failed targets with why. ``window``: when it tried and listened, by its clock in seconds."""

    listened: tuple[tuple[str, int], ...]
    failed: tuple[tuple[Target, str], ...]
    window: tuple[float, float] = (0.0, 0.0)

    def overlap(self, other: Reach) -> float:
        """For how many seconds both tried and listened; negative where never at the same time."""
        return min(self.window[1], other.window[1]) - max(self.window[0], other.window[0])


@dataclass(frozen=True)
class Blocked:
    """A port that hosts do not get to: their addresses, each with why."""

    target: Target
    sources: Mapping[str, str]


def connections(layout: Layout, fresh: Collection[str]) -> dict[str, tuple[Target, ...]]:
    """Address -> what it connects to. One end is ``fresh``; for UDP the target, as flannel holds the others' port.

    By VRRP the first of two load balancers asks, and the other does not: packet filters that remember connections
    know no ports of it, and take what comes back from where something was sent to for an answer.
    """
    nodes = layout.masters + layout.workers
    pairs: list[tuple[Sequence[str], Sequence[str], str, int]] = [
        (layout.etcd, layout.etcd, "tcp", ETCD_PORTS[1]),
        (layout.masters, nodes, "tcp", KUBELET_PORT),
        (layout.balancers, layout.masters, "tcp", layout.apiserver_port),
        (nodes, layout.balancers, "tcp", layout.endpoint_port),
    ]
    if set(layout.etcd).isdisjoint(layout.masters):
        pairs.append((layout.masters, layout.etcd, "tcp", ETCD_PORTS[0]))
    if layout.vxlan:
        pairs.append((nodes, nodes, "udp", VXLAN_PORT))
    for place, address in enumerate(layout.unfiltered):
        pairs.append(((address,), layout.unfiltered[place + 1 :], "vrrp", VRRP))
    found: dict[str, dict[Target, None]] = {}
    for sources, targets, protocol, port in pairs:
        for source in sources:
            here = found.setdefault(source, {})
            for target in targets:
                if target != source and _is_tried(protocol, source, target, fresh):
                    here[protocol, target, port] = None
    return {source: tuple(targets) for source, targets in found.items()}


def _is_tried(protocol: str, source: str, target: str, fresh: Collection[str]) -> bool:
    if protocol == "vrrp":
        return source in fresh and target in fresh
    return target in fresh or (protocol == "tcp" and source in fresh)


def listening(layout: Layout, fresh: Collection[str]) -> dict[str, tuple[tuple[str, int], ...]]:
    """Address -> what others connect to there."""
    found: dict[str, dict[tuple[str, int], None]] = {
        address: {} for address in (*layout.masters, *layout.etcd, *layout.balancers, *layout.workers)
    }
    for targets in connections(layout, fresh).values():
        for protocol, address, port in targets:
            found[address][protocol, port] = None
    return {address: tuple(ports) for address, ports in found.items()}


def blocked(answers: Mapping[str, Reach], asked: Mapping[str, Collection[Target]]) -> tuple[Blocked, ...]:
    """What hosts do not get to, of that which they were asked to try. ``answers`` and ``asked`` are by address.

    A refusal counts only where the host did listen meanwhile: else nobody was there, and nothing in the way. So does
    no answer by UDP: the kernel holds flannel's port, and gives none, where an earlier cluster left its device.
    """
    sources: dict[Target, dict[str, str]] = {}
    for source, answer in answers.items():
        for target, why in answer.failed:
            protocol, address, port = target
            heard = answers.get(address)
            if target not in asked.get(source, ()) or why == UNTRIED or heard is None:
                continue
            unsure = why == "refused" or (protocol == "udp" and why == "no answer")
            if not unsure or _listened(heard, answer, protocol, port):
                sources.setdefault(target, {})[source] = why
    return tuple(Blocked(target, found) for target, found in sorted(sources.items()))


def confirmed(first: Sequence[Blocked], second: Sequence[Blocked]) -> tuple[Blocked, ...]:
    """What both looks found: a host that was busy for a moment is no firewall."""
    before = {one.target: one.sources for one in first}
    return _remaining(second, lambda source, target: source in before.get(target, {}))


def ends_to_leave_out(found: Sequence[Blocked], needed: Collection[str]) -> dict[str, Blocked]:
    """Address -> why the cluster goes on without that host: of two ends the one that is not ``needed``.

    Where neither is, it is the one that reports it: one host's word costs no other.
    """
    ends: dict[str, Blocked] = {}
    for one in found:
        target = one.target[1]
        if target not in needed and one.sources.keys() & set(needed):
            ends.setdefault(target, one)
        else:
            for source in one.sources.keys() - set(needed):
                ends.setdefault(source, one)
    return ends


def without_ends(found: Sequence[Blocked], ends: Collection[str]) -> tuple[Blocked, ...]:
    """What is left once these addresses are left out."""
    return _remaining(found, lambda source, target: source not in ends and target[1] not in ends)


def _remaining(found: Sequence[Blocked], stays: Callable[[str, Target], bool]) -> tuple[Blocked, ...]:
    kept = (
        Blocked(one.target, {source: why for source, why in one.sources.items() if stays(source, one.target)})
        for one in found
    )
    return tuple(one for one in kept if one.sources)


def described(one: Blocked, names: Mapping[str, str], layout: Layout) -> HaplaneError:
    """With the names of the hosts by their addresses."""
    protocol, address, port = one.target
    if protocol == "vrrp":
        return _described_vrrp(one, names)
    return HaplaneError(
        f"{names[address]}: {protocol} port {port} ({_purpose(one.target, layout)}) cannot be reached from "
        f"{', '.join(names[source] for source in one.sources)}",
        where=f"{address}:{port}",
        why=f"{' / '.join(dict.fromkeys(one.sources.values()))}: a firewall on {names[address]} or between them",
        next_step=f"allow it: on {names[address]} {protocol} {port} from {', '.join(one.sources)}",
    )


def _described_vrrp(one: Blocked, names: Mapping[str, str]) -> HaplaneError:
    address = one.target[1]
    others = ", ".join(one.sources)
    return HaplaneError(
        f"{names[address]}: VRRP (IP protocol {VRRP}) does not arrive from "
        f"{', '.join(names[source] for source in one.sources)}",
        where=address,
        why=f"{' / '.join(dict.fromkeys(one.sources.values()))}: a firewall on one of them or between them, and each "
        "would take the endpoint's address for itself",
        next_step=f"allow it both ways: IP protocol {VRRP} between {address} and {others}",
    )


def _listened(heard: Reach, by: Reach, protocol: str, port: int) -> bool:
    return (protocol, port) in heard.listened and heard.overlap(by) > CLOCK_TOLERANCE_SECONDS


def _purpose(target: Target, layout: Layout) -> str:
    if target[0] == "udp":
        return "flannel's VXLAN"
    if target[2] == layout.apiserver_port and target[1] in layout.masters:
        return "API servers"
    return WHAT_FOR.get(target[2], "the endpoint")
