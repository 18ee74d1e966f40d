"""What a host was before haplane, as it reports it."""

from __future__ import annotations

from haplane.domain.host_condition import Path
from haplane.domain.reported import Observed, ShortText


class AttachedNetwork(Observed):
    """A network that the host has an address in or a route to; ``gateway`` is a route's next hop, "" without."""

    network: ShortText
    device: ShortText
    gateway: ShortText = ""


class Surroundings(Observed):
    """What the host was before haplane. The shape is that of ``facts/on_host/surroundings.py``.

    ``product_uuid`` is empty in a container. ``resolv_conf`` is what kubeadm has pods' name servers from.
    ``kubelet_files``: drop-ins of its unit that are not haplane's and change what it runs.
    ``no_exec``: directories of haplane's programs from which the kernel runs none.
    """

    machine_id: ShortText = ""
    product_uuid: ShortText = ""
    kernel: ShortText = ""
    resolv_conf: ShortText = "/etc/resolv.conf"
    name_servers: tuple[ShortText, ...] = ()
    networks: tuple[AttachedNetwork, ...] = ()
    manifests: tuple[ShortText, ...] = ()
    cni: tuple[ShortText, ...] = ()
    kubelet_files: tuple[ShortText, ...] = ()
    no_exec: tuple[Path, ...] = ()
