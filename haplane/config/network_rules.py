"""Which networks pods and Services may have. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import combinations

from haplane.config.draft import Draft, floating_address
from haplane.config.problem import Problem

SERVICE_PREFIXES = (12, 26)
POD_PREFIXES = (8, 24)
NODE_PREFIX = 24
LONGEST_DOMAIN = 253 - (63 + 1 + 63 + len(".svc."))
DOCKER_NETWORK = IPv4Network("172.17.0.0/16")


def network_sizes(draft: Draft) -> Iterator[Problem]:
    """The limits are kubeadm's (ValidateServiceSubnetSize, ValidatePodSubnetNodeMask), the 26 is ours."""
    cluster = draft.cluster
    low, high = SERVICE_PREFIXES
    if cluster.service_network.prefixlen > high:
        yield Problem(
            'cluster["service_network"]',
            cluster.service_network,
            "too small",
            f"use /{high} or larger, like 10.96.0.0/16",
            "its tenth address is cluster DNS, and every Service needs one more address",
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


def networks_apart(draft: Draft) -> Iterator[Problem]:
    """Those of pods, Services, the lab and hosts share no address."""
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
    if (floating := floating_address(draft)) is not None:
        addresses.append(("the endpoint", floating))
    for field, network in taken[:2]:
        inside = [f"{what} ({address})" for what, address in addresses if address in network]
        if inside:
            what = f"contains {', '.join(inside)}"
            yield Problem(field, network, what, "choose a network that contains no host and not the endpoint")


def docker(draft: Draft) -> Iterator[Problem]:
    """Neither network is the one that Docker takes on every host."""
    for name in ("pod_network", "service_network"):
        network = getattr(draft.cluster, name)
        if network.overlaps(DOCKER_NETWORK):
            yield Problem(
                f'cluster["{name}"]',
                network,
                f"overlaps {DOCKER_NETWORK}, Docker's own network",
                "use one apart from it, like 10.244.0.0/16 or 10.96.0.0/16",
                "every host that ever runs Docker has it on docker0, and pods there would not be reached",
            )


def dns_domain(draft: Draft) -> Iterator[Problem]:
    """Services' names fit before it, and the endpoint's is not in it: of names there CoreDNS asks nobody else."""
    cluster = draft.cluster
    if len(cluster.dns_domain) > LONGEST_DOMAIN:
        yield Problem(
            'cluster["dns_domain"]',
            cluster.dns_domain,
            "too long for a DNS domain of Services",
            f"use {LONGEST_DOMAIN} characters at most",
            f"SERVICE.NAMESPACE.svc. before it has up to {253 - LONGEST_DOMAIN}, and a DNS name 253",
        )
    if f".{cluster.endpoint.address}".endswith(f".{cluster.dns_domain}"):
        yield Problem(
            'cluster["dns_domain"]',
            cluster.dns_domain,
            f"contains the endpoint's name {cluster.endpoint.address}",
            "use a domain of the cluster's own, like cluster.local",
            "pods would get no address for that name: CoreDNS answers for the whole domain",
        )
