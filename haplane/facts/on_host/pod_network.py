"""What connects this node's pods, and whether they and the node reach cluster DNS: its pods, and its service.

The latter goes through everything that carries pods' packets: a bridge, routes or a tunnel, packet filters of both
hosts, and kube-proxy's rules. What is meant for masters, API servers above all, goes through other rules of theirs.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import glob
import http.client
import json
import os
import re
import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar

from haplane.facts.on_host.condition import SUBNET
from haplane.facts.on_host.dns import DNS_PORT, resolve
from haplane.facts.on_host.forwarding import listed_chains
from haplane.facts.on_host.kubelet import KUBELET_CONF
from haplane.facts.on_host.namespaces import enter_network, network_of
from haplane.facts.on_host.probe import PlainConnection, output_of, read
from haplane.facts.on_host.static_pods import PROC, TASKS, container_annotations

OF_COREDNS = re.compile(r"endpoint-[^/]+-kube-system/kube-dns/udp/dns__([0-9.]{7,15})/53")
"""kube-proxy's chain for a ready endpoint (pkg/proxy/nftables, servicePortEndpointChainNameBase)."""
PROXY_HEALTH_PORT = 10256
LINKS = ("cni0", "flannel.1")
END_OF_POD = re.compile(r"veth[0-9a-f]{8}")
"""As the bridge plugin names them."""
ATTACHED_SECONDS = 0.3
"""For a pod that is just being connected."""
MOST_ROUTES = 5000
MOST_SERVERS, MOST_ASKING = 4, 3
"""Pods of CoreDNS that are asked, and pods of this node that ask: a policy may keep one of those from it."""
FIRST_SECONDS, AGAIN_SECONDS_AFTER, LONGER_SECONDS = 1.0, 0.2, 2.0
"""Who is asked is a busy host's pod at times: what is late once is asked again, for longer."""

ApiPlace = tuple[str, int]
"""Address and port."""
Tried = TypeVar("Tried")
Outcome = TypeVar("Outcome")
DnsAnswer = tuple[bool, str]
"""Whether the server was reached, and why it gave no address; "" when it did."""


def pod_network(pods: str, service: str, name: str, apis: list[ApiPlace]) -> dict[str, Any]:
    """Empty on a host that is no node. ``pods`` is their network.

    ``service`` is cluster DNS' address, ``name`` one that it knows by itself. ``apis``: where pods find the API.
    """
    if not os.path.exists(KUBELET_CONF):
        return {}
    servers = coredns_addresses(listed_chains() or [])
    return {
        **links(),
        "subnet": subnet(),
        "subnet_since": os.stat(SUBNET).st_mtime if os.path.exists(SUBNET) else 0,
        "routes": routes_into(pods),
        "dns": [*asked_by_host(servers, service, name), *asked_by_pods(servers, service, name)],
        "unreached": unreached_by_pods(apis),
        "proxy": why_proxy_is_stale(),
    }


def why_proxy_is_stale() -> str:
    """What kube-proxy here answers to whether it applies changes; "" where it does, or does not answer at all."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = PlainConnection("127.0.0.1", PROXY_HEALTH_PORT, timeout=FIRST_SECONDS)
        with contextlib.closing(connection):
            connection.request("GET", "/livez")
            status = connection.getresponse().status
        return f"/livez: HTTP {status}" if status >= 500 else ""
    return ""


def subnet() -> str:
    """The address of this node's bridge, with its prefix, as flannel last wrote it; "" without."""
    found = re.search(r"^FLANNEL_SUBNET=([0-9./]{9,18})$", read(SUBNET) or "", re.M)
    return found.group(1) if found else ""


def links() -> dict[str, Any]:
    """Which of LINKS there are, and whether each is up; how many pods' ends are in no bridge for a while.

    Raises OSError where ip does not report them.
    """
    first = json.loads(output_of("ip", "-j", "link") or "[]")
    detached = unbridged(first)
    if detached:
        time.sleep(ATTACHED_SECONDS)
        detached &= unbridged(json.loads(output_of("ip", "-j", "link") or "[]"))
    up = {str(one["ifname"]): "UP" in one.get("flags", []) for one in first if one.get("ifname") in LINKS}
    return {"links": up, "detached": len(detached)}


def unbridged(found: list[dict[str, Any]]) -> set[str]:
    """The hosts' ends of pods' connections that belong to no bridge."""
    return {one["ifname"] for one in found if END_OF_POD.fullmatch(one.get("ifname", "")) and not one.get("master")}


def routes_into(pods: str) -> list[str]:
    """Networks of single nodes in the pods' that this host has a route to. Raises OSError as :func:`links`."""
    found = json.loads(output_of("ip", "-j", "-4", "route", "show", "root", pods) or "[]")
    return [str(one["dst"]) for one in found if "dst" in one and "/" in str(one["dst"])][:MOST_ROUTES]


def coredns_addresses(chains: list[dict[str, Any]]) -> list[str]:
    """Of its ready pods, as kube-proxy knows them here; none where it does not use nftables."""
    names = (str(one.get("name")) for one in chains if one.get("table") == "kube-proxy")
    return sorted({found.group(1) for name in names if (found := OF_COREDNS.fullmatch(name))})[:MOST_SERVERS]


def asked_by_host(servers: list[str], service: str, name: str) -> list[dict[str, Any]]:
    """The answers to this host's own network."""
    return in_report(dns_answers(None, [*servers, service], name), service, from_pod=False)


def asked_by_pods(servers: list[str], service: str, name: str) -> list[dict[str, Any]]:
    """The best answers that any of some pods of this node gets; nothing where none has a network of its own."""
    processes = own_networks()[:MOST_ASKING]
    with concurrent.futures.ThreadPoolExecutor(MOST_ASKING) as pool:
        each = list(pool.map(lambda process: dns_answers(process, [*servers, service], name), processes))
    best: dict[str, DnsAnswer] = {}
    for address, answer in [one for answers in each for one in answers.items()]:
        best[address] = min(best.get(address, answer), answer, key=lambda one: (bool(one[1]), not one[0]))
    return in_report(best, service, from_pod=True)


def in_report(answers: dict[str, DnsAnswer], service: str, *, from_pod: bool) -> list[dict[str, Any]]:
    """As :class:`haplane.domain.pod_network_report.DnsAnswer` has them."""
    return [
        {"address": address, "service": address == service, "from_pod": from_pod, "reached": reached, "why": why}
        for address, (reached, why) in answers.items()
    ]


def own_networks() -> list[int]:
    """The first process of each running pod with a network of its own, those of the cluster's own pods first."""
    found = []
    for bundle in sorted(glob.glob(f"{TASKS}/*")):
        notes = container_annotations(bundle)
        with contextlib.suppress(OSError, ValueError):
            process = int(read(f"{bundle}/init.pid") or "")
            theirs = os.stat(f"{PROC}/{process}/ns/net").st_ino
            if is_sandbox(notes) and theirs != os.stat(f"{PROC}/self/ns/net").st_ino:
                found.append((notes.get("io.kubernetes.cri.sandbox-namespace") != "kube-system", process))
    return [process for _, process in sorted(found)]


def is_sandbox(notes: dict[str, str]) -> bool:
    """Whether a container is the one that holds its pod's network."""
    return notes.get("io.kubernetes.cri.container-type") == "sandbox"


def dns_answers(process: int | None, servers: list[str], name: str) -> dict[str, DnsAnswer]:
    """What each server answers to the network of that process, to our own without one.

    Nothing for a process that has ended meanwhile: its network is taken down.
    """
    return tried_in(process, servers, lambda server: dns_answer(server, name))


def tried_in(process: int | None, things: list[Tried], attempt: Callable[[Tried], Outcome]) -> dict[Tried, Outcome]:
    """What comes of an attempt at each thing in the network of that process, in our own without one."""
    with contextlib.ExitStack() as opened, contextlib.suppress(OSError, concurrent.futures.BrokenExecutor):
        inside: dict[str, Any] = {}
        if process is not None:
            namespace = network_of(process)
            opened.callback(os.close, namespace)
            inside = {"initializer": enter_network, "initargs": (namespace,)}
        with concurrent.futures.ThreadPoolExecutor(len(things), **inside) as pool:
            found = dict(zip(things, pool.map(attempt, things), strict=True))
        return found if process is None or os.path.exists(f"{PROC}/{process}") else {}
    return {}


def unreached_by_pods(apis: list[ApiPlace]) -> list[dict[str, Any]]:
    """The places at which none of some pods of this node gets a connection, and why; none where there are no pods."""
    processes = own_networks()[:MOST_ASKING]
    with concurrent.futures.ThreadPoolExecutor(MOST_ASKING) as pool:
        each = [one for one in pool.map(lambda process: tried_in(process, apis, why_no_connection), processes) if one]
    return [
        {"address": place[0], "port": place[1], "why": each[0][place]}
        for place in apis
        if each and all(one[place] for one in each)
    ]


def why_no_connection(place: ApiPlace) -> str:
    """Nothing where one is made, be it at the second try: the host may be busy."""
    why = ""
    for seconds in (FIRST_SECONDS, LONGER_SECONDS):
        try:
            socket.create_connection(place, seconds).close()
        except TimeoutError:
            why = "no answer"
        except OSError as error:
            why = str(error.strerror or error)[:200]
        else:
            return ""
    return why


def dns_answer(server: str, name: str) -> DnsAnswer:
    """The second where the first one was no good."""
    reached, why = dns_tried(server, name, FIRST_SECONDS)
    if why:
        time.sleep(AGAIN_SECONDS_AFTER)
        reached, why = dns_tried(server, name, LONGER_SECONDS)
    if not reached:
        with contextlib.suppress(OSError):
            socket.create_connection((server, DNS_PORT), FIRST_SECONDS).close()
            return True, "no answer"
    return reached, why


def dns_tried(server: str, name: str, seconds: float) -> DnsAnswer:
    """One question."""
    try:
        resolve(server, name, seconds)
    except TimeoutError:
        return False, "no answer"
    except OSError as error:
        return False, str(error.strerror or error)[:200]
    except ValueError as error:
        return True, str(error)[:200]
    return True, ""
