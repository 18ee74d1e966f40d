"""What a host was before haplane, as it reports it."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Network

from haplane.domain.host_condition import Path
from haplane.domain.reported import Observed, ShortText

POD_DEVICES = ("cni", "flannel", "kube-", "veth", "cali", "cilium", "weave", "nodelocaldns")
"""What pod networks make, also one that `kubeadm reset` has left behind."""


class AttachedNetwork(Observed):
    """A network that the host has an address in or a route to; ``gateway`` is a route's next hop, "" without."""

    network: ShortText
    device: ShortText
    gateway: ShortText = ""

    def __str__(self) -> str:
        """The network, and its device where it has one."""
        return f"{self.network} ({self.device})" if self.device else self.network

    def overlaps(self, wanted: str) -> bool:
        """Whether they have addresses in common."""
        try:
            return IPv4Network(self.network, strict=False).overlaps(IPv4Network(wanted))
        except ValueError:
            return False

    def is_inside(self, wanted: str) -> bool:
        """Whether it has no other addresses than that network."""
        try:
            return IPv4Network(self.network, strict=False).subnet_of(IPv4Network(wanted))
        except ValueError:
            return False


class Surroundings(Observed):
    """What the host was before haplane. The shape is that of ``facts/on_host/surroundings.py``.

    ``product_uuid`` is empty in a container. ``resolv_conf`` is what kubeadm has pods' name servers from;
    ``silent_servers`` are those of a node's that answer nothing.
    ``kubelet_files``: drop-ins of its unit that are not haplane's and change what it runs.
    ``no_exec``: directories of haplane's programs from which the kernel runs none.
    """

    machine_id: ShortText = ""
    product_uuid: ShortText = ""
    kernel: ShortText = ""
    resolv_conf: ShortText = "/etc/resolv.conf"
    name_servers: tuple[ShortText, ...] = ()
    silent_servers: tuple[ShortText, ...] = ()
    networks: tuple[AttachedNetwork, ...] = ()
    manifests: tuple[ShortText, ...] = ()
    cni: tuple[ShortText, ...] = ()
    kubelet_files: tuple[ShortText, ...] = ()
    no_exec: tuple[Path, ...] = ()

    def of_others(self, wanted: str, gateways: Collection[str]) -> list[AttachedNetwork]:
        """Its networks that overlap this one, but what a pod network makes, and routes into it by the ``gateways``.

        Those are flannel's host-gw, to another node's pods, which `kubeadm reset` leaves behind.
        """
        return [
            one
            for one in self.networks
            if one.overlaps(wanted)
            and not one.device.startswith(POD_DEVICES)
            and not (one.gateway in gateways and one.is_inside(wanted))
        ]
