"""Which ports hosts reach of each other once the cluster runs, and which of them something is in the way of. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from haplane.domain.clocks import CLOCK_TOLERANCE_SECONDS
from haplane.domain.preflight import ETCD_PORTS, KUBELET_PORT
from haplane.errors import HaplaneError

Target = tuple[str, str, int]
"""tcp or udp, an address, a port."""
UNTRIED = "not tried"
VXLAN_PORT = 8472
"""flannel's, which is Linux' own default and not the one that was assigned later."""
WHAT_FOR = {ETCD_PORTS[0]: "etcd's clients", ETCD_PORTS[1]: "etcd's members", KUBELET_PORT: "kubelets"}


@dataclass(frozen=True)
class Layout:
    """Addresses by role, and the ports that the inventory chooses. ``vxlan``: flannel sends pods' packets so."""

    masters: tuple[str, ...]
    etcd: tuple[str, ...]
    balancers: tuple[str, ...]
    workers: tuple[str, ...]
    apiserver_port: int
    endpoint_port: int
    vxlan: bool


@dataclass(frozen=True)
class Reach:
    """One host's answer; failed targets with why. ``window``: when it tried and listened, by its clock in seconds."""

    listened: tuple[tuple[str, int], ...]
    failed: tuple[tuple[Target, str], ...]
    window: tuple[float, float] = (0.0, 0.0)

    def overlap(self, other: Reach) -> float:
        """For how many seconds both did."""
        return min(self.window[1], other.window[1]) - max(self.window[0], other.window[0])


def connections(layout: Layout, fresh: Collection[str]) -> dict[str, tuple[Target, ...]]:
    """Address -> what it connects to. One end is ``fresh``; for UDP both, as flannel holds the port of the others."""
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
    found: dict[str, dict[Target, None]] = {}
    for sources, targets, protocol, port in pairs:
        for source in sources:
            here = found.setdefault(source, {})
            for target in targets:
                new = sum(end in fresh for end in (source, target))
                if target != source and new >= (2 if protocol == "udp" else 1):
                    here[protocol, target, port] = None
    return {source: tuple(targets) for source, targets in found.items()}


def listening(layout: Layout, fresh: Collection[str]) -> dict[str, tuple[tuple[str, int], ...]]:
    """Address -> what others connect to there."""
    found: dict[str, dict[tuple[str, int], None]] = {
        address: {} for address in (*layout.masters, *layout.etcd, *layout.balancers, *layout.workers)
    }
    for targets in connections(layout, fresh).values():
        for protocol, address, port in targets:
            found[address][protocol, port] = None
    return {address: tuple(ports) for address, ports in found.items()}


def blocked(names: Mapping[str, str], answers: Mapping[str, Reach], *, layout: Layout) -> list[HaplaneError]:
    """One error for each host and port that others do not get to. ``names`` and ``answers`` are by address.

    A refusal counts only where the host did listen meanwhile: else nobody was there, and nothing in the way.
    """
    sources: dict[Target, dict[str, str]] = {}
    for source, answer in answers.items():
        for target, why in answer.failed:
            protocol, address, port = target
            heard = answers.get(address)
            if why == UNTRIED or heard is None:
                continue
            if why != "refused" or _listened(heard, answer, protocol, port):
                sources.setdefault(target, {})[source] = why
    return [
        HaplaneError(
            f"{names[target[1]]}: {target[0]} port {target[2]} ({_purpose(target, layout)}) cannot be reached from "
            f"{', '.join(names[source] for source in found)}",
            where=f"{target[1]}:{target[2]}",
            why=f"{' / '.join(dict.fromkeys(found.values()))}: a firewall on {names[target[1]]} or between them",
            next_step=f"allow it: on {names[target[1]]} {target[0]} {target[2]} from {', '.join(found)}",
        )
        for target, found in sorted(sources.items())
    ]


def _listened(heard: Reach, by: Reach, protocol: str, port: int) -> bool:
    return (protocol, port) in heard.listened and heard.overlap(by) > CLOCK_TOLERANCE_SECONDS


def _purpose(target: Target, layout: Layout) -> str:
    if target[0] == "udp":
        return "flannel's VXLAN"
    if target[2] == layout.apiserver_port and target[1] in layout.masters:
        return "API servers"
    return WHAT_FOR.get(target[2], "the endpoint")
