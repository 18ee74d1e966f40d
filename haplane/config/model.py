"""The validated inventory: hosts and settings, frozen. Pure: no file and no network is touched here.

Field errors (types, ranges, unknown names) are raised by pydantic; what concerns several fields at once is checked
in :mod:`haplane.config.rules`. Both are turned into haplane's errors by :mod:`haplane.config.load`.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Port = Annotated[int, Field(ge=1, le=65535)]
HostName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
DnsName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
UserName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
CheckName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")]
Seconds = Annotated[float, Field(gt=0)]

type_scalar = str | int | float | bool
ComponentSettings = dict[str, "type_scalar | dict[str, type_scalar]"]


class Settings(BaseModel):
    """Frozen, and a name nobody knows is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=False)


class Ssh(Settings):
    """How one host is reached; the names on the right are pyinfra's host data.

    ``config_file`` (``ssh_config_file``) may name jump hosts (ProxyJump); ``known_hosts_file`` with
    ``strict_host_key_checking="yes"`` refuses unknown host keys, ``"accept-new"`` records them on first contact.
    """

    hostname: str
    port: Port = 22
    user: UserName = "root"
    key: str | None = None
    config_file: str | None = None
    known_hosts_file: str | None = None
    strict_host_key_checking: Literal["yes", "accept-new", "no"] = "accept-new"
    sudo: bool = False


class Host(Settings):
    """One machine. ``address`` is its address in the cluster's network, never guessed from an interface."""

    name: HostName
    address: IPv4Address
    ssh: Ssh


class Endpoint(Settings):
    """Where clients reach the API: the floating address or a bring-your-own one, with its port."""

    address: DnsName
    port: Port = 6443

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class Keepalived(Settings):
    """VRRP of the floating address. ``advert_seconds`` is the interval between adverts, in seconds."""

    router_id: Annotated[int, Field(ge=1, le=255)] = 51
    advert_seconds: Annotated[float, Field(ge=0.1, le=10)] = 0.5


class Tuning(Settings):
    """What a special machine (the lab's nested hosts) needs and a real one does not."""

    ignored_preflight_checks: tuple[CheckName, ...] = ()
    kubelet: ComponentSettings = Field(default_factory=dict)
    kube_proxy: ComponentSettings = Field(default_factory=dict)
    containerd_restrict_oom_score_adj: bool = False


class Lab(Settings):
    """Present only in inventories of the embedded lab: the private network its hosts are made in.

    ``nat_interface_hosts`` get a second interface that holds the default route (as Vagrant's machines have);
    ``bare_hosts`` start without haproxy and keepalived, so that installing packages is exercised.
    ``extra_hosts`` are made like the others but are in no group (a later worker, a jump host, an S3 server).
    """

    network: IPv4Network = IPv4Network("10.89.0.0/24")
    gateway: IPv4Address = IPv4Address("10.89.0.1")
    bridge: Annotated[str, Field(pattern=r"^[a-z0-9]{1,12}$")] = "haplane0"
    nat_interface_hosts: tuple[HostName, ...] = ()
    bare_hosts: tuple[HostName, ...] = ()
    extra_hosts: dict[HostName, IPv4Address] = Field(default_factory=dict)


class Cluster(Settings):
    """Everything in the inventory that is not a host."""

    name: Name
    endpoint: Endpoint
    endpoint_is_external: bool = False
    kubernetes_version: str = "1.35.4"
    apiserver_port: Port = 6443
    pod_network: IPv4Network = IPv4Network("10.244.0.0/16")
    service_network: IPv4Network = IPv4Network("10.96.0.0/16")
    dns_domain: DnsName = "cluster.local"
    allow_single_master: bool = False
    masters_run_pods: bool = False
    node_monitor_grace_seconds: Annotated[int, Field(ge=5, le=3600)] = 50
    unreachable_toleration_seconds: Annotated[int, Field(ge=0, le=86400)] = 300
    pod_network_manifest: str | None = None
    flannel_backend: Literal["vxlan", "host-gw"] = "vxlan"
    proxy_mode: Literal["nftables", "iptables", "ipvs"] = "nftables"
    keepalived: Keepalived = Keepalived()
    bundle: str | None = None
    package_directory: str | None = None
    snapshot_recipients: tuple[str, ...] = ()
    tuning: Tuning = Tuning()
    lab: Lab | None = None


class Inventory(Settings):
    """One inventory file, validated. Hosts keep the order of the file; nothing depends on who is first."""

    path: str
    cluster: Cluster
    masters: tuple[Host, ...]
    etcd: tuple[Host, ...]
    load_balancers: tuple[Host, ...] = ()
    workers: tuple[Host, ...] = ()

    @property
    def etcd_is_external(self) -> bool:
        """Whether etcd runs on machines of its own."""
        return {host.name for host in self.etcd}.isdisjoint(host.name for host in self.masters)

    @property
    def balancer_hosts(self) -> tuple[Host, ...]:
        """The hosts that run haproxy and keepalived: their own group, the masters, or none (external endpoint)."""
        if self.cluster.endpoint_is_external:
            return ()
        return self.load_balancers or self.masters

    @property
    def nodes(self) -> tuple[Host, ...]:
        """The hosts that run a kubelet."""
        return self.masters + self.workers

    @property
    def hosts(self) -> tuple[Host, ...]:
        """Every machine once, in the order masters, etcd, load balancers, workers."""
        every = self.masters + self.etcd + self.load_balancers + self.workers
        return tuple({host.name: host for host in every}.values())

    def host(self, name: str) -> Host:
        """The host of that name. Raises KeyError when there is none."""
        return {host.name: host for host in self.hosts}[name]

    def roles(self, host: Host) -> tuple[str, ...]:
        """The groups a host is in, of ``master``, ``etcd``, ``load-balancer``, ``worker``."""
        groups = (
            ("master", self.masters),
            ("etcd", self.etcd),
            ("load-balancer", self.balancer_hosts),
            ("worker", self.workers),
        )
        return tuple(role for role, hosts in groups if host in hosts)
