"""What must hold between several settings: membership, addresses, ports, networks. Pure.

A rule is skipped when a setting it reads was found wrong already, so that one mistake is reported once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations

from haplane.config.model import Cluster, Host, Lab
from haplane.config.problem import ABSENT, Problem, unknown

MASTERS_ALLOWED = (3, 5)
ETCD_ALLOWED = (3, 5, 7)
MASTER_PORTS = {22: "sshd", 2379: "etcd", 2380: "etcd", 10256: "kube-proxy"} | dict.fromkeys(
    (10248, 10249, 10250, 10257, 10259), "Kubernetes itself"
)
SERVICE_PREFIXES = (12, 26)
POD_PREFIXES = (8, 24)
NODE_PREFIX = 24


@dataclass(frozen=True)
class Draft:
    """An inventory whose single values were checked, of which some may be wrong.

    ``names`` are the host names of each group as written, ``hosts`` those among them that are valid. ``wrong`` names
    the settings of ``cluster`` and the groups in which something wrong was found already; in ``cluster`` they have
    their default.
    """

    cluster: Cluster
    names: Mapping[str, tuple[str, ...]]
    hosts: Mapping[str, tuple[Host, ...]]
    wrong: frozenset[str] = frozenset()

    @property
    def distinct_hosts(self) -> tuple[Host, ...]:
        """Every valid host once."""
        return tuple({host.name: host for hosts in self.hosts.values() for host in hosts}.values())

    @property
    def balancers(self) -> tuple[str, ...]:
        """The names of the hosts that would run haproxy."""
        return () if self.cluster.endpoint_is_external else self.names["load_balancers"] or self.names["masters"]


def problems(draft: Draft) -> Iterator[Problem]:
    """Everything that is wrong between settings."""
    for rule, reads in RULES:
        if draft.wrong.isdisjoint(reads):
            yield from rule(draft)


def _masters(draft: Draft) -> Iterator[Problem]:
    count = len(set(draft.names["masters"]))
    if count == 0:
        yield Problem("masters", ABSENT, "there are none", 'write masters = [("m1", {"address": "10.0.0.11"}), ...]')
    elif count == 1 and not draft.cluster.allow_single_master:
        remedy = 'list 3 or 5 masters, or set cluster["allow_single_master"] = True'
        yield Problem("masters", 1, "a single master is a single point of failure", remedy)
    elif count > 1 and count not in MASTERS_ALLOWED:
        yield Problem("masters", count, "the number of masters must be 3 or 5", "list 3 or 5 masters", _odd(count))


def _etcd(draft: Draft) -> Iterator[Problem]:
    masters, members = set(draft.names["masters"]), set(draft.names["etcd"])
    if members == masters:
        return
    if members & masters:
        yield Problem(
            "etcd",
            ", ".join(sorted(members)),
            "some masters are etcd members and some are not",
            "leave etcd out (the masters are the members), or list machines that are not masters",
            "an API server next to no member of its own would need other wiring than the others",
        )
    single = draft.cluster.allow_single_master
    if len(members) not in ETCD_ALLOWED and not (len(members) == 1 and single):
        what = "the number of etcd members must be 3, 5 or 7"
        yield Problem("etcd", len(members), what, "list 3, 5 or 7 etcd machines", _odd(len(members)))


def _leaving(draft: Draft) -> Iterator[Problem]:
    for name in dict.fromkeys(draft.names["leaving"]):
        groups = [group for group in draft.names if group != "leaving" and name in draft.names[group]]
        if groups:
            remedy = "strike it from one of the two"
            yield Problem("leaving", name, f"is in {groups[0]} too", remedy, "a host stays or it leaves")


def _odd(count: int) -> str:
    majority = count // 2 + 1
    return f"a majority of {count} is {majority}: {count - majority} may fail"


def _workers(draft: Draft) -> Iterator[Problem]:
    elsewhere = {name: group for group in ("load_balancers", "etcd", "masters") for name in draft.names[group]}
    for name in dict.fromkeys(draft.names["workers"]):
        if name in elsewhere:
            remedy = 'list it once; masters run pods with cluster["masters_run_pods"] = True'
            yield Problem("workers", name, f"is in {elsewhere[name]} too", remedy)


def _duplicates(draft: Draft) -> Iterator[Problem]:
    for group, names in draft.names.items():
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice and (group != "etcd" or names != draft.names["masters"]):
            yield Problem(group, ", ".join(twice), "a name used twice", "give each machine a name of its own")
    for one, other in combinations(draft.distinct_hosts, 2):
        if one.address == other.address:
            yield Problem(
                f"{_label(draft, other)}: address",
                other.address,
                f"{one.name} has it too",
                "one address, one machine",
            )
        elif _reached_at(one) == _reached_at(other):
            remedy = "give each machine its own ssh_hostname or ssh_port"
            what = f"leads to the same machine as that of {one.name}"
            yield Problem(f"{_label(draft, other)}: ssh_hostname", other.ssh.hostname, what, remedy)


def _reached_at(host: Host) -> tuple[str, int, str | None]:
    return host.ssh.hostname, host.ssh.port, host.ssh.config_file


def _label(draft: Draft, host: Host) -> str:
    return f"{next(group for group, hosts in draft.hosts.items() if host in hosts)}: {host.name}"


def _endpoint(draft: Draft) -> Iterator[Problem]:
    cluster = draft.cluster
    field, address = 'cluster["endpoint"]', cluster.endpoint.address
    if cluster.endpoint_is_external and draft.names["load_balancers"]:
        yield Problem(
            'cluster["endpoint_is_external"]',
            True,
            "says that the load balancer is not haplane's, but the group load_balancers has hosts",
            "remove one of the two",
        )
    if not cluster.endpoint_is_external and _as_address(address) is None:
        yield Problem(
            field,
            str(cluster.endpoint),
            "a floating address must be an IPv4 address",
            'write a free address of the hosts\' network, or set cluster["endpoint_is_external"] = True',
        )
    for host in draft.distinct_hosts:
        if address in {str(host.address), host.ssh.hostname, host.name}:
            yield Problem(
                field,
                str(cluster.endpoint),
                f"is the address of {host.name}",
                "use a free address of the same network",
                "the endpoint must outlive every single machine",
            )


def _as_address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except ValueError:
        return None


def _ports(draft: Draft) -> Iterator[Problem]:
    cluster = draft.cluster
    apiserver = cluster.apiserver_port
    if apiserver in MASTER_PORTS:
        what = f"is the port of {MASTER_PORTS[apiserver]}"
        yield Problem('cluster["apiserver_port"]', apiserver, what, "use 6443")
    shared = sorted(set(draft.balancers) & set(draft.names["masters"]))
    if not shared:
        return
    field, endpoint = 'cluster["endpoint"]', cluster.endpoint
    where = f"and the load balancer runs on the masters ({', '.join(shared)})"
    if endpoint.port == apiserver:
        what = f"its port is the API server's, {where}"
        yield Problem(field, str(endpoint), what, f"use another port, like {endpoint.address}:8443")
    elif endpoint.port in MASTER_PORTS:
        what = f"its port is that of {MASTER_PORTS[endpoint.port]}, {where}"
        yield Problem(field, str(endpoint), what, f"use another port, like {endpoint.address}:8443")


def _network_sizes(draft: Draft) -> Iterator[Problem]:
    """The limits are kubeadm's (ValidateServiceSubnetSize, ValidatePodSubnetNodeMask), the 26 is ours."""
    cluster = draft.cluster
    low, high = SERVICE_PREFIXES
    if cluster.service_network.prefixlen > high:
        yield Problem(
            'cluster["service_network"]',
            cluster.service_network,
            "too small",
            f"use /{high} or larger, like 10.96.0.0/16",
            "its tenth address is cluster DNS, kubeadm wants room for that, and every service needs one address more",
        )
    elif cluster.service_network.prefixlen < low:
        yield Problem('cluster["service_network"]', cluster.service_network, "too large", f"use /{low} or smaller")
    pods = cluster.pod_network
    low, high = POD_PREFIXES
    nodes = len(set(draft.names["masters"] + draft.names["workers"]))
    if pods.prefixlen < low:
        yield Problem('cluster["pod_network"]', pods, "too large", f"use /{low} or smaller, like 10.244.0.0/16")
    elif pods.prefixlen > high or 2 ** (NODE_PREFIX - pods.prefixlen) < nodes:
        why = f"each node takes a /{NODE_PREFIX} of it, and there are {nodes} nodes"
        yield Problem('cluster["pod_network"]', pods, "too small", "use a larger one, like 10.244.0.0/16", why)


def _networks_apart(draft: Draft) -> Iterator[Problem]:
    cluster = draft.cluster
    taken: list[tuple[str, IPv4Network]] = [
        ('cluster["pod_network"]', cluster.pod_network),
        ('cluster["service_network"]', cluster.service_network),
    ]
    if cluster.lab is not None:
        taken.append(('cluster["lab"]["network"]', cluster.lab.network))
    remedy = "choose networks that share no address"
    for (field, network), (other_field, other) in combinations(taken, 2):
        if network.overlaps(other):
            yield Problem(field, network, f"overlaps {other_field} ({other})", remedy)
    addresses = [(f"the address of {host.name}", host.address) for host in draft.distinct_hosts]
    if (floating := _floating_address(draft)) is not None:
        addresses.append(("the endpoint", floating))
    for field, network in taken[:2]:
        inside = [f"{what} ({address})" for what, address in addresses if address in network]
        if inside:
            what = f"contains {', '.join(inside)}"
            yield Problem(field, network, what, "choose a network that no machine and not the endpoint is in")


def _lab(draft: Draft) -> Iterator[Problem]:
    lab = draft.cluster.lab
    if lab is None:
        return
    yield from _lab_addresses(draft, lab)
    names = {name for group in draft.names.values() for name in group}
    for setting, hosts in (("nat_interface_hosts", lab.nat_interface_hosts), ("bare_hosts", lab.bare_hosts)):
        for name in hosts:
            if name not in names | set(lab.extra_hosts):
                yield unknown(f'cluster["lab"]["{setting}"]', name, name, names, kind="host")
    for name in sorted(names & set(lab.extra_hosts)):
        remedy = "extra hosts are in no group; remove it here or there"
        yield Problem('cluster["lab"]["extra_hosts"]', name, "the name of a host in a group", remedy)


def _lab_addresses(draft: Draft, lab: Lab) -> Iterator[Problem]:
    hosts = [(f"{_label(draft, host)}: address", host.address) for host in draft.distinct_hosts]
    given = [(f'cluster["lab"]["extra_hosts"]["{name}"]', address) for name, address in lab.extra_hosts.items()]
    given.append(('cluster["lab"]["gateway"]', lab.gateway))
    if (floating := _floating_address(draft)) is not None:
        hosts.append(('cluster["endpoint"]', floating))
    for field, address in hosts + given:
        if address not in lab.network or address in (lab.network.network_address, lab.network.broadcast_address):
            what = f"not a host's address in the lab's network {lab.network}"
            yield Problem(field, address, what, "use one of that network")
    taken = {address: field for field, address in hosts}
    for field, address in given:
        if address in taken:
            yield Problem(field, address, f"is taken by {taken[address]}", "use a free address of the lab's network")
        taken.setdefault(address, field)


def _floating_address(draft: Draft) -> IPv4Address | None:
    return None if "endpoint" in draft.wrong else _as_address(draft.cluster.endpoint.address)


Rule = Callable[[Draft], Iterator[Problem]]
RULES: tuple[tuple[Rule, frozenset[str]], ...] = (
    (_masters, frozenset({"masters", "allow_single_master"})),
    (_etcd, frozenset({"masters", "etcd", "allow_single_master"})),
    (_workers, frozenset()),
    (_leaving, frozenset()),
    (_duplicates, frozenset()),
    (_endpoint, frozenset({"endpoint", "endpoint_is_external"})),
    (_ports, frozenset({"masters", "load_balancers", "endpoint", "endpoint_is_external", "apiserver_port"})),
    (_network_sizes, frozenset({"pod_network", "service_network"})),
    (_networks_apart, frozenset({"pod_network", "service_network", "lab"})),
    (_lab, frozenset({"lab"})),
)
