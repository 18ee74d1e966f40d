"""Runs on a host, with nothing but Python's standard library: reports what is there, changes nothing.

Takes one JSON request as its argument and writes one JSON document. Every probe has a deadline, so that a hung
component empties its own answer and does not delay the report; a probe that fails leaves its entry of NOTHING and is
named in ``failed``, and in ``lacks`` where a program is missing or not executable. On a host where all of them took
long together, those that would mean an outage are asked again, one by one. The shape of request and report is
:mod:`haplane.domain.observed`.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from haplane.facts.on_host.apiserver import apiserver
from haplane.facts.on_host.balancer import balancer
from haplane.facts.on_host.certificates import certificates
from haplane.facts.on_host.components import components, servers
from haplane.facts.on_host.condition import condition
from haplane.facts.on_host.conversions import silent_conversions
from haplane.facts.on_host.etcd import ALONE_SECONDS, NO_MEMBER, etcd
from haplane.facts.on_host.findings import findings
from haplane.facts.on_host.kubeconfigs import unusable_kubeconfigs
from haplane.facts.on_host.kubelet import kubelet
from haplane.facts.on_host.kubernetes import kubernetes
from haplane.facts.on_host.leftovers import leftovers, settings, snapshots
from haplane.facts.on_host.machine import bundle_files, files, images, machine, made
from haplane.facts.on_host.network import addresses, listening
from haplane.facts.on_host.pod_network import pod_network
from haplane.facts.on_host.precedence import precedence
from haplane.facts.on_host.probe import NotRunnable
from haplane.facts.on_host.surroundings import surroundings
from haplane.facts.on_host.systemd import units
from haplane.facts.on_host.tokens import tokens
from haplane.facts.on_host.webhooks import HTTPS
from haplane.facts.on_host.workloads import workloads

SLOW_SECONDS = 10.0
"""More than all probes take together on a host that is not slow, whatever hangs there."""
OF_THE_API = ("kubernetes", "workloads", "findings")
NOTHING: dict[str, Any] = {
    "machine": {
        "os_id": "", "os_version": "", "architecture": "", "init": "", "user_id": -1, "memory_bytes": 0,
        "swap_bytes": 0, "disk_free_bytes": 0, "disk_bytes": 0, "disk": "/var/lib",
        "cgroups": "", "missing_commands": [],
    },
    "addresses": {},
    "listening": {},
    "files": {},
    "made": {},
    "bundle": {},
    "certificates": {},
    "units": {},
    "images": None,
    "etcd": NO_MEMBER,
    "apiserver": {"ready": False},
    "kubernetes": None,
    "balancer": {"holds_endpoint": False, "endpoint_answers": False, "endpoint_ready": False, "servers": None},
    "snapshots": None,
    "settings": {},
    "leftovers": {},
    "components": {},
    "servers": {},
    "unusable": {},
    "workloads": None,
    "precedence": {},
    "surroundings": {},
    "kubelet": {},
    "condition": {},
    "findings": None,
    "pod_network": {},
    "tokens": {},
    "conversions": [],
}  # fmt: skip


def reason_of(error: BaseException) -> str:
    """Why a probe failed: the message alone where it is one for people, or the system's, which names the file."""
    return str(error) if isinstance(error, OSError) and str(error) else repr(error)


def places_of_api(request: dict[str, Any]) -> list[tuple[str, int]]:
    """Where pods find API servers: the service, and what is behind it."""
    own = [(address, request["apiserver_port"]) for address in request["apiservers"]]
    return [(request["api_service"], HTTPS), *own]


def probes_of(request: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """What is asked for, by its name in the report."""
    return {
        "machine": machine,
        "addresses": addresses,
        "listening": listening,
        "files": lambda: files(request["files"]),
        "made": made,
        "bundle": lambda: bundle_files(request["bundle"]),
        "certificates": lambda: certificates(request["certificates"]),
        "units": lambda: units(request["units"]),
        "images": images,
        "etcd": lambda: etcd(request["etcd_addresses"]),
        "apiserver": lambda: apiserver(request["apiserver_port"]),
        "kubernetes": lambda: kubernetes(request["apiserver_port"], request["node_labels"]),
        "balancer": lambda: balancer(request["endpoint_address"], request["endpoint_port"], request["ping_endpoint"]),
        "snapshots": lambda: snapshots(request["snapshot_directory"]),
        "settings": lambda: settings(request["kubeadm_config"]),
        "leftovers": leftovers,
        "components": components,
        "servers": servers,
        "unusable": unusable_kubeconfigs,
        "workloads": lambda: workloads(request["apiserver_port"]),
        "precedence": lambda: precedence(request["pod_network"]),
        "surroundings": lambda: surroundings(request["networks"]),
        "kubelet": kubelet,
        "condition": condition,
        "findings": lambda: findings(request["apiserver_port"], request["dns_address"]),
        "pod_network": lambda: pod_network(
            request["pod_network"], request["dns_address"], request["dns_name"], places_of_api(request)
        ),
        "conversions": lambda: silent_conversions(request["apiserver_port"]),
        "tokens": lambda: tokens(request["apiserver_port"], request["apiservers"]),
    }


def is_outage(name: str, report: dict[str, Any]) -> bool:
    """Whether what a probe reports means that the member, or the API, is out of service."""
    if name == "etcd":
        return bool(report["etcd"]["has_data"]) and not report["etcd"]["reads_through_quorum"]
    if name == "apiserver":
        return "kube-apiserver" in report["components"].get("of", {}) and not report["apiserver"]["ready"]
    return report[name] is None and bool(report["apiserver"]["ready"])


def ask_again(
    probes: dict[str, Callable[[], Any]], answered: dict[str, Any], errors: dict[str, BaseException]
) -> None:
    """One by one: what got no answer beside all the others may get one now."""
    for name in ("etcd", "apiserver", *OF_THE_API):
        if name in probes and (name in errors or is_outage(name, NOTHING | answered)):
            with contextlib.suppress(Exception):  # the answer that there is stays
                answered[name] = probes[name]()
                errors.pop(name, None)


def main() -> None:
    """Run all probes at once and write the report."""
    request = json.loads(sys.argv[1])
    started_at = time.time()
    every = probes_of(request)
    probes = {name: probe for name, probe in every.items() if name not in request.get("without", ())}
    with concurrent.futures.ThreadPoolExecutor(len(probes)) as pool:
        futures = {name: pool.submit(probe) for name, probe in probes.items()}
    errors = {name: error for name, future in futures.items() if (error := future.exception())}
    answered = {name: future.result() for name, future in futures.items() if name not in errors}
    if time.time() - started_at > SLOW_SECONDS:
        ask_again(probes | {"etcd": lambda: etcd(request["etcd_addresses"], ALONE_SECONDS)}, answered, errors)
    report = NOTHING | answered
    report["failed"] = {name: reason_of(error) for name, error in errors.items()}
    report["lacks"] = {name: error.program for name, error in errors.items() if isinstance(error, NotRunnable)}
    report["started_at"] = started_at
    report["finished_at"] = time.time()
    json.dump(report, sys.stdout)


main()
