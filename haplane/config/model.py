"""The validated inventory: hosts and settings, frozen. Pure: no file and no network is touched here.

What concerns one field is checked here, by types that name the remedy; what concerns several fields at once is
checked in :mod:`haplane.config.rules`. Both are turned into haplane's errors by :mod:`haplane.config.load`.

Every string has a pattern of its own that allows neither newlines nor characters a shell would act on.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import Field

from haplane.config.base import Settings
from haplane.config.snapshots import Snapshots
from haplane.config.values import (
    Address,
    CheckName,
    ComponentSettings,
    DnsName,
    EndpointText,
    FilePath,
    HostName,
    InterfaceName,
    KubernetesVersion,
    Name,
    Network,
    Port,
    UserName,
    between,
    many,
    named,
)


class Ssh(Settings):
    """How one host is reached; in the file these are pyinfra's ``ssh_hostname``, ``ssh_port``, ... and ``_sudo``.

    ``config_file`` (``ssh_config_file``) may name jump hosts (ProxyJump); ``known_hosts_file`` with
    ``strict_host_key_checking="yes"`` refuses unknown host keys, ``"accept-new"`` records them on first contact.
    ``shell`` is no setting of the file: a run that holds the lock has every command on the host go through it.
    """

    hostname: DnsName
    port: Port = 22
    user: UserName = "root"
    key: FilePath | None = None
    config_file: FilePath | None = None
    known_hosts_file: FilePath | None = None
    strict_host_key_checking: Literal["yes", "accept-new", "no"] = "accept-new"
    sudo: bool = False
    shell: str | None = None


class Host(Settings):
    """One machine. ``address`` is its address in the cluster's network, never guessed from an interface."""

    name: HostName
    address: Address
    ssh: Ssh


class Endpoint(Settings):
    """Where clients reach the API: the floating address or a bring-your-own one, with its port."""

    address: DnsName
    port: Port = 6443

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class Keepalived(Settings):
    """VRRP of the floating address. ``advert_seconds`` is the interval between adverts, in seconds."""

    router_id: Annotated[int, between(1, 255)] = 51
    advert_seconds: Annotated[float, between(0.1, 10)] = 0.5


class Tuning(Settings):
    """What a special machine (the lab's nested hosts) needs and a real one does not.

    ``kubelet`` and ``kube_proxy`` are merged into their KubeletConfiguration and KubeProxyConfiguration.
    """

    ignored_preflight_checks: Annotated[tuple[CheckName, ...], many] = ()
    kubelet: ComponentSettings = Field(default_factory=dict)
    kube_proxy: ComponentSettings = Field(default_factory=dict)
    containerd_restrict_oom_score_adj: bool = False


TUNINGS = {
    # A host nested in a container may not raise its OOM score, set kernel parameters or drive systemd's cgroups.
    "nested": Tuning(
        ignored_preflight_checks=(
            "SystemVerification",
            "FileContent--proc-sys-net-bridge-bridge-nf-call-iptables",
            "NumCPU",
        ),
        kubelet={"cgroupDriver": "cgroupfs", "failCgroupV1": False},
        kube_proxy={"conntrack": {"maxPerCore": 0, "min": 0}},
        containerd_restrict_oom_score_adj=True,
    )
}


class Lab(Settings):
    """Present only in inventories of the embedded lab: the private network its hosts are made in.

    ``nat_interface_hosts`` get a second interface that holds the default route (as Vagrant's machines have);
    ``bare_hosts`` start without haproxy and keepalived, so that installing packages is exercised.
    ``extra_hosts`` are made like the others but are in no group (a later worker, a jump host, an S3 server).
    """

    network: Network = IPv4Network("10.89.0.0/24")
    gateway: Address = IPv4Address("10.89.0.1")
    bridge: InterfaceName = "haplane0"
    nat_interface_hosts: Annotated[tuple[HostName, ...], many] = ()
    bare_hosts: Annotated[tuple[HostName, ...], many] = ()
    extra_hosts: dict[HostName, Address] = Field(default_factory=dict)


class Cluster(Settings):
    """Everything in the inventory that is not a host.

    In the file ``endpoint`` is ``"ADDRESS:PORT"`` or ``"ADDRESS"``, and ``tuning`` may be the name of one of TUNINGS.
    """

    name: Name
    endpoint: Annotated[Endpoint, EndpointText]
    endpoint_is_external: bool = False
    kubernetes_version: KubernetesVersion = "1.35.4"
    apiserver_port: Port = 6443
    pod_network: Network = IPv4Network("10.244.0.0/16")
    service_network: Network = IPv4Network("10.96.0.0/16")
    dns_domain: DnsName = "cluster.local"
    allow_single_master: bool = False
    masters_run_pods: bool = False
    node_monitor_grace_seconds: Annotated[int, between(5, 3600)] = 50
    unreachable_toleration_seconds: Annotated[int, between(0, 86400)] = 300
    pod_network_manifest: FilePath | None = None
    flannel_backend: Literal["vxlan", "host-gw"] = "vxlan"
    proxy_mode: Literal["nftables", "iptables", "ipvs"] = "nftables"
    keepalived: Keepalived = Keepalived()
    bundle: FilePath | None = None
    package_directory: FilePath | None = None
    snapshots: Snapshots | None = None
    tuning: Annotated[Tuning, named(TUNINGS)] = Tuning()
    lab: Lab | None = None


class Inventory(Settings):
    """One inventory file, validated. Hosts keep the order of the file; nothing depends on who is first.

    ``leaving`` are masters or etcd machines that ``up`` takes out of the cluster; then they can be struck out.
    """

    path: str
    cluster: Cluster
    masters: Annotated[tuple[Host, ...], many]
    etcd: Annotated[tuple[Host, ...], many]
    load_balancers: Annotated[tuple[Host, ...], many] = ()
    workers: Annotated[tuple[Host, ...], many] = ()
    leaving: Annotated[tuple[Host, ...], many] = ()

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

    @property
    def everyone(self) -> tuple[Host, ...]:
        """Every machine that is asked and locked: those that are leaving as well."""
        return self.hosts + self.leaving

    def host(self, name: str) -> Host:
        """The host of that name. Raises KeyError when there is none."""
        return {host.name: host for host in self.everyone}[name]

    def roles(self, host: Host) -> tuple[str, ...]:
        """The groups a host is in, of ``master``, ``etcd``, ``load-balancer``, ``worker``."""
        groups = (
            ("master", self.masters),
            ("etcd", self.etcd),
            ("load-balancer", self.balancer_hosts),
            ("worker", self.workers),
        )
        return tuple(role for role, hosts in groups if host in hosts)
