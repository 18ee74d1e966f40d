"""The validated inventory: hosts and settings, frozen. Pure: no file and no network is touched here.

What concerns one field is checked here, by types that name the remedy; what concerns several fields at once is
checked in :mod:`haplane.config.rules`. Both are turned into haplane's errors by :mod:`haplane.config.load`.

Every string has a pattern of its own that allows neither newlines nor characters a shell would act on.
"""

from __future__ import annotations

import shlex
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from haplane import supported
from haplane.config.base import Settings
from haplane.config.components import ComponentSettings, Flags, Labels
from haplane.config.drills import DrillSettings
from haplane.config.snapshots import Snapshots
from haplane.config.storage import ProxyUrl, ServiceUrl
from haplane.config.values import (
    Address,
    AlternativeName,
    CheckName,
    DnsName,
    DomainName,
    EndpointText,
    FilePath,
    HostName,
    InterfaceName,
    KubernetesVersion,
    Name,
    Network,
    Port,
    RegistryName,
    SshHostName,
    UserName,
    Word,
    between,
    many,
    named,
    not_empty,
    refusal,
)


class Ssh(Settings):
    """How one host is reached; in the file these are pyinfra's ``ssh_hostname``, ..., ``_sudo`` and ``_doas``.

    ``hostname`` may be an alias of ssh_config, which gives port and user where they are None; else they are 22 and
    root. ``config_file`` (``ssh_config_file``) may name jump hosts (ProxyJump); ``known_hosts_file`` with
    ``strict_host_key_checking="yes"`` refuses unknown host keys, ``"accept-new"`` records them on first contact.
    ``shell`` is no setting of the file: a run that holds the lock has every command on the host go through it.
    """

    hostname: SshHostName
    port: Port | None = None
    user: UserName | None = None
    key: FilePath | None = None
    config_file: FilePath | None = None
    known_hosts_file: FilePath | None = None
    strict_host_key_checking: Literal["yes", "accept-new", "no"] = "accept-new"
    sudo: bool = False
    doas: bool = False
    shell: str | None = None

    def __str__(self) -> str:
        """As on ssh's command line, quoted for a shell."""
        options = {"-F": self.config_file, "-i": self.key, "-p": self.port}
        words = [word for name, value in options.items() if value is not None for word in (name, str(value))]
        return shlex.join([*words, f"{self.user}@{self.hostname}" if self.user is not None else self.hostname])


class Host(Settings):
    """One host. ``address`` is its address in the cluster's network, never guessed from an interface.

    ``labels`` are those of its Node, besides Kubernetes' own.
    """

    name: HostName
    address: Address
    ssh: Ssh
    labels: Labels = ()


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


class EtcdSettings(Settings):
    """``quota_backend_bytes``: how large a member's database may become before etcd takes no more writes.

    etcd's own default; its authors suggest no more than 8 GiB (server/storage/quota.go).
    """

    quota_backend_bytes: Annotated[int, between(16 << 20, 16 << 30)] = 2 << 30


class Proxy(Settings):
    """The HTTP proxy of containerd, which pulls images, and of API servers, which call webhooks and OIDC issuers.

    ``no_proxy``: what is reached directly besides the cluster's own hosts and networks.
    """

    http: ProxyUrl | None = None
    https: ProxyUrl | None = None
    no_proxy: Annotated[tuple[Word, ...], many] = ()

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.http is None and self.https is None:
            raise refusal("names no proxy", 'add "https": "http://proxy.example.org:3128", and "http" likewise')
        return self


class Registry(Settings):
    """Where containerd pulls a registry's images first, in this order; the registry itself comes last."""

    mirrors: Annotated[tuple[ServiceUrl, ...], many, not_empty]


class Tuning(Settings):
    """Settings of the components themselves, and what a special host (the lab's nested ones) needs.

    ``kubelet`` and ``kube_proxy`` are merged into their KubeletConfiguration and KubeProxyConfiguration; the flags of
    the other three take the place of haplane's, but for those that the cluster rests on
    (:mod:`haplane.domain.arguments`).
    """

    ignored_preflight_checks: Annotated[tuple[CheckName, ...], many] = ()
    kubelet: ComponentSettings = Field(default_factory=dict)
    kube_proxy: ComponentSettings = Field(default_factory=dict)
    kube_apiserver: Flags = Field(default_factory=dict)
    kube_controller_manager: Flags = Field(default_factory=dict)
    kube_scheduler: Flags = Field(default_factory=dict)
    containerd_restrict_oom_score_adj: bool = False

    @property
    def tolerates_swap(self) -> bool:
        """Whether kubelets start while swap is on."""
        return self.kubelet.get("failSwapOn") is False


TUNINGS = {
    # A host nested in a container may not raise its OOM score, set kernel parameters or drive systemd's cgroups. Its
    # disk is the machine's: a share that is free says nothing, so pods are evicted by the amount that is left.
    "nested": Tuning(
        ignored_preflight_checks=(
            "SystemVerification",
            "FileContent--proc-sys-net-bridge-bridge-nf-call-iptables",
            "NumCPU",
        ),
        kubelet={
            "cgroupDriver": "cgroupfs",
            "failCgroupV1": False,
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1Gi", "imagefs.available": "1Gi"},
            "imageGCHighThresholdPercent": 100,
            "shutdownGracePeriod": "0s",  # no logind to delay a shutdown
            "shutdownGracePeriodCriticalPods": "0s",
        },
        kube_proxy={"conntrack": {"maxPerCore": 0, "min": 0}},
        containerd_restrict_oom_score_adj=True,
    )
}


class Lab(Settings):
    """Present only in inventories of the embedded lab: the private network its hosts are made in, and what they are.

    ``machines``: ``nspawn`` makes containers on this machine's kernel, ``qemu`` virtual machines of ``processors``
    and ``memory_mib`` (these two are for ``qemu`` alone) with that version of ``debian``.
    ``nat_interface_hosts`` get a second interface that holds the default route (as Vagrant's machines have);
    ``bare_hosts`` start without haproxy and keepalived, so that installing packages is exercised.
    ``extra_hosts`` are made like the others but are in no group (a later worker, a jump host, an S3 server).
    """

    network: Network = IPv4Network("10.89.0.0/24")
    gateway: Address = IPv4Address("10.89.0.1")
    bridge: InterfaceName = "haplane0"
    machines: Literal["nspawn", "qemu"] = "nspawn"
    debian: Literal[12, 13] = 12
    processors: Annotated[int, between(1, 64)] = 2
    memory_mib: Annotated[int, between(512, 1 << 20)] = 2048
    nat_interface_hosts: Annotated[tuple[HostName, ...], many] = ()
    bare_hosts: Annotated[tuple[HostName, ...], many] = ()
    extra_hosts: dict[HostName, Address] = Field(default_factory=dict)


class Cluster(Settings):
    """Everything in the inventory that is not a host.

    ``apiserver_names``: what API servers are called besides, in their certificates.

    In the file ``endpoint`` is ``"ADDRESS:PORT"`` or ``"ADDRESS"``, and ``tuning`` may be the name of one of TUNINGS.
    """

    name: Name
    endpoint: Annotated[Endpoint, EndpointText]
    endpoint_is_external: bool = False
    kubernetes_version: KubernetesVersion = supported.DEFAULT_VERSION
    apiserver_port: Port = 6443
    apiserver_names: Annotated[tuple[AlternativeName, ...], many] = ()
    pod_network: Network = IPv4Network("10.244.0.0/16")
    service_network: Network = IPv4Network("10.96.0.0/16")
    dns_domain: DomainName = "cluster.local"
    allow_single_master: bool = False
    masters_run_pods: bool = False
    node_monitor_grace_seconds: Annotated[int, between(5, 3600)] = 50
    unreachable_toleration_seconds: Annotated[int, between(0, 86400)] = 300
    pod_network_manifest: FilePath | None = None
    flannel_backend: Literal["vxlan", "host-gw"] = "vxlan"
    proxy_mode: Literal["nftables", "iptables", "ipvs"] = "nftables"
    keepalived: Keepalived = Keepalived()
    etcd: EtcdSettings = EtcdSettings()
    bundle: FilePath | None = None
    bundle_lock: FilePath | None = None
    package_directory: FilePath | None = None
    proxy: Proxy | None = None
    registries: dict[RegistryName, Registry] = Field(default_factory=dict)
    snapshots: Snapshots | None = None
    drills: DrillSettings = DrillSettings()
    tuning: Annotated[Tuning, named(TUNINGS)] = Tuning()
    lab: Lab | None = None


class Inventory(Settings):
    """One inventory file, validated. Hosts keep the order of the file; nothing depends on who is first.

    ``leaving`` are masters or etcd hosts that ``up`` decommissions; then they can be removed from the file.
    """

    path: str
    cluster: Cluster
    masters: Annotated[tuple[Host, ...], many]
    etcd: Annotated[tuple[Host, ...], many]
    load_balancers: Annotated[tuple[Host, ...], many] = ()
    workers: Annotated[tuple[Host, ...], many] = ()
    leaving: Annotated[tuple[Host, ...], many] = ()

    def __hash__(self) -> int:
        """Of what it is called: some settings are mappings, which have none."""
        return hash((self.path, self.cluster.name))

    @property
    def etcd_is_external(self) -> bool:
        """Whether etcd runs on hosts of its own."""
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
        """Every host once, in the order masters, etcd, load balancers, workers."""
        every = self.masters + self.etcd + self.load_balancers + self.workers
        return tuple({host.name: host for host in every}.values())

    @property
    def everyone(self) -> tuple[Host, ...]:
        """Every host that is observed and locked: those that are leaving as well."""
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
