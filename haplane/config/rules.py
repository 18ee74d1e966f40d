"""What must hold between several settings: membership, addresses, ports, networks. Pure.

A rule is skipped when a setting it reads was found wrong already, so that one mistake is reported once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import combinations

from haplane import supported
from haplane.config.draft import Draft, as_address, floating_address, label
from haplane.config.model import Host, Lab
from haplane.config.network_rules import dns_domain, docker, network_sizes, networks_apart
from haplane.config.problem import ABSENT, Problem, unknown
from haplane.config.values import reaches
from haplane.domain.arguments import COMPONENTS, OIDC, OWNED_FIELDS, refused_flags

LEASE_SECONDS = 40
"""nodeLeaseDurationSeconds of the kubelet, where the inventory does not set it."""
MASTERS_ALLOWED = (3, 5)
ETCD_ALLOWED = (3, 5, 7)
SSH_PORT = 22
MASTER_PORTS = {SSH_PORT: "sshd", 2379: "etcd", 2380: "etcd", 10256: "kube-proxy"} | dict.fromkeys(
    (10248, 10249, 10250, 10257, 10259), "Kubernetes itself"
)


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
            "leave etcd out (the masters are the members), or list hosts that are not masters",
            "an API server without a local member would have to be connected differently from the others",
        )
    single = draft.cluster.allow_single_master
    if len(members) not in ETCD_ALLOWED and not (len(members) == 1 and single):
        what = "the number of etcd members must be 3, 5 or 7"
        yield Problem("etcd", len(members), what, "list 3, 5 or 7 etcd hosts", _odd(len(members)))


def _leaving(draft: Draft) -> Iterator[Problem]:
    for name in dict.fromkeys(draft.names["leaving"]):
        groups = [group for group in draft.names if group != "leaving" and name in draft.names[group]]
        if groups:
            remedy = "remove it from one of the two groups"
            yield Problem(
                "leaving", name, f"is in {groups[0]} too", remedy, "hosts in the group `leaving` are decommissioned"
            )


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
            yield Problem(group, ", ".join(twice), "a name used twice", "give each host a name of its own")
    for one, other in combinations(draft.distinct_hosts, 2):
        if one.address == other.address:
            yield Problem(
                f"{label(draft, other)}: address",
                other.address,
                f"{one.name} has it too",
                "each host needs an address of its own",
            )
        elif str(one.address) == other.name or str(other.address) == one.name:
            yield Problem(
                f"{label(draft, other)}: address",
                other.address,
                f"{other.name} and {one.name}: the name of one is the address of the other",
                "give each host a name of its own, like m1",
            )
        elif _reached_at(one) == _reached_at(other):
            remedy = "give each host its own ssh_hostname or ssh_port"
            what = f"leads to the same host as that of {one.name}"
            yield Problem(f"{label(draft, other)}: ssh_hostname", other.ssh.hostname, what, remedy)


def _reached_at(host: Host) -> tuple[str, int | None, str | None]:
    return host.ssh.hostname, host.ssh.port, host.ssh.config_file


def _root(draft: Draft) -> Iterator[Problem]:
    for host in draft.distinct_hosts:
        if host.ssh.sudo and host.ssh.doas:
            yield Problem(f"{label(draft, host)}: _doas", True, "_sudo is True as well", "set one of the two")


def _endpoint(draft: Draft) -> Iterator[Problem]:
    cluster = draft.cluster
    field, address = 'cluster["endpoint"]', cluster.endpoint.address
    if cluster.endpoint_is_external and draft.names["load_balancers"]:
        yield Problem(
            'cluster["endpoint_is_external"]',
            True,
            "means that the load balancer is not haplane's, but the group `load_balancers` has hosts",
            "remove one of the two",
        )
    floating = as_address(address)
    if not cluster.endpoint_is_external and (floating is None or not reaches(floating)):
        yield Problem(
            field,
            str(cluster.endpoint),
            "a floating address must be an IPv4 address" if floating is None else "no host can have this address",
            'write a free address of the hosts\' network, or set cluster["endpoint_is_external"] = True',
        )
    for host in draft.distinct_hosts:
        if address in {str(host.address), host.ssh.hostname, host.name}:
            yield Problem(
                field,
                str(cluster.endpoint),
                f"is the address of {host.name}",
                "use a free address of the same network",
                "the endpoint must survive the loss of any host",
            )


def _preflight(draft: Draft) -> Iterator[Problem]:
    checks = draft.cluster.tuning.ignored_preflight_checks
    if len(checks) > 1 and "all" in [name.lower() for name in checks]:
        yield Problem(
            'cluster["tuning"]["ignored_preflight_checks"]',
            ", ".join(checks),
            "kubeadm takes all alone, or names of checks",
            "remove one or the other",
        )


def _ports(draft: Draft) -> Iterator[Problem]:
    cluster = draft.cluster
    apiserver = cluster.apiserver_port
    if apiserver in MASTER_PORTS:
        what = f"is the port of {MASTER_PORTS[apiserver]}"
        yield Problem('cluster["apiserver_port"]', apiserver, what, "use 6443")
    field, endpoint = 'cluster["endpoint"]', cluster.endpoint
    shared = sorted(set(draft.balancers) & set(draft.names["masters"]))
    if not shared:
        if draft.balancers and endpoint.port == SSH_PORT:
            remedy = f"use another port, like {endpoint.address}:6443"
            yield Problem(field, str(endpoint), "its port is that of sshd on the load balancers", remedy)
        return
    where = f"and the load balancer runs on the masters ({', '.join(shared)})"
    if endpoint.port == apiserver:
        what = f"its port is the API server's, {where}"
        yield Problem(field, str(endpoint), what, f"use another port, like {endpoint.address}:8443")
    elif endpoint.port in MASTER_PORTS:
        what = f"its port is that of {MASTER_PORTS[endpoint.port]}, {where}"
        yield Problem(field, str(endpoint), what, f"use another port, like {endpoint.address}:8443")


def _kubernetes_version(draft: Draft) -> Iterator[Problem]:
    version = draft.cluster.kubernetes_version
    if version not in supported.VERSIONS and draft.cluster.bundle_lock is None:
        own = f'a lock of your own: `haplane bundle pin {version}`, and cluster["bundle_lock"]'
        remedy = f"use {', '.join(supported.VERSIONS)}, or {own}"
        yield Problem('cluster["kubernetes_version"]', version, "haplane has no lock for this version", remedy)


def _flags(draft: Draft) -> Iterator[Problem]:
    for setting, component in COMPONENTS.items():
        flags = getattr(draft.cluster.tuning, setting)
        field = f'cluster["tuning"]["{setting}"]'
        for name, why in refused_flags(component, flags):
            yield Problem(
                f'{field}["{name}"]', ABSENT, f"{component}'s {name} is not for an inventory", "remove it", why
            )
        if any(name.startswith(OIDC) for name in flags) and f"{OIDC}issuer-url" not in flags:
            yield Problem(
                field, ABSENT, "oidc-* flags without oidc-issuer-url", 'add "oidc-issuer-url": "https://..."'
            )


def _fields(draft: Draft) -> Iterator[Problem]:
    for setting, owned in OWNED_FIELDS.items():
        for name in getattr(draft.cluster.tuning, setting).keys() & owned.keys():
            field = f'cluster["tuning"]["{setting}"]["{name}"]'
            yield Problem(field, ABSENT, "is not for an inventory", "remove it", owned[name])


def _grace(draft: Draft) -> Iterator[Problem]:
    """A kubelet reports four times within the duration of its lease; half of that is two reports."""
    grace = draft.cluster.node_monitor_grace_seconds
    lease = draft.cluster.tuning.kubelet.get("nodeLeaseDurationSeconds", LEASE_SECONDS)
    if isinstance(lease, int) and grace < lease / 2:
        yield Problem(
            'cluster["node_monitor_grace_seconds"]',
            grace,
            "too short",
            f'use {math.ceil(lease / 2)} or more, or lower nodeLeaseDurationSeconds in cluster["tuning"]["kubelet"]',
            f"a kubelet reports every {lease / 4:g} s: healthy nodes would be NotReady in between",
        )


def _labels(draft: Draft) -> Iterator[Problem]:
    nodes = {*draft.names["masters"], *draft.names["workers"]}
    for host in draft.distinct_hosts:
        if host.labels and host.name not in nodes:
            remedy = "remove labels from it: only masters and workers are nodes"
            yield Problem(f"{label(draft, host)}: labels", ABSENT, "labels on a host that runs no kubelet", remedy)


NSPAWN_DEBIAN = 12  # newer ones boot in no container where cgroups are of version 1


def _lab(draft: Draft) -> Iterator[Problem]:
    lab = draft.cluster.lab
    if lab is None:
        return
    yield from _lab_addresses(draft, lab)
    if lab.machines == "nspawn" and lab.debian != NSPAWN_DEBIAN:
        remedy = f'write {NSPAWN_DEBIAN}, or "machines": "qemu"'
        yield Problem('cluster["lab"]["debian"]', lab.debian, "not available for nspawn hosts", remedy)
    names = {name for group in draft.names.values() for name in group}
    for setting, hosts in (("nat_interface_hosts", lab.nat_interface_hosts), ("bare_hosts", lab.bare_hosts)):
        for name in hosts:
            if name not in names | set(lab.extra_hosts):
                yield unknown(f'cluster["lab"]["{setting}"]', name, name, names, kind="host")
    for name in sorted(names & set(lab.extra_hosts)):
        remedy = "extra hosts are in no group; remove it from one of the two"
        yield Problem('cluster["lab"]["extra_hosts"]', name, "the name of a host in a group", remedy)


def _lab_addresses(draft: Draft, lab: Lab) -> Iterator[Problem]:
    hosts = [(f"{label(draft, host)}: address", host.address) for host in draft.distinct_hosts]
    given = [(f'cluster["lab"]["extra_hosts"]["{name}"]', address) for name, address in lab.extra_hosts.items()]
    given.append(('cluster["lab"]["gateway"]', lab.gateway))
    if (floating := floating_address(draft)) is not None:
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


Rule = Callable[[Draft], Iterator[Problem]]
RULES: tuple[tuple[Rule, frozenset[str]], ...] = (
    (_masters, frozenset({"masters", "allow_single_master"})),
    (_etcd, frozenset({"masters", "etcd", "allow_single_master"})),
    (_workers, frozenset()),
    (_leaving, frozenset()),
    (_duplicates, frozenset()),
    (_root, frozenset()),
    (_endpoint, frozenset({"endpoint", "endpoint_is_external"})),
    (_ports, frozenset({"masters", "load_balancers", "endpoint", "endpoint_is_external", "apiserver_port"})),
    (_kubernetes_version, frozenset({"kubernetes_version", "bundle_lock"})),
    (network_sizes, frozenset({"pod_network", "service_network"})),
    (networks_apart, frozenset({"pod_network", "service_network", "lab"})),
    (docker, frozenset({"pod_network", "service_network"})),
    (_flags, frozenset({"tuning"})),
    (_fields, frozenset({"tuning"})),
    (dns_domain, frozenset({"dns_domain", "endpoint"})),
    (_preflight, frozenset({"tuning"})),
    (_grace, frozenset({"tuning", "node_monitor_grace_seconds"})),
    (_labels, frozenset()),
    (_lab, frozenset({"lab"})),
)
