"""The two probers of a drill: one at the endpoint, from here, and one inside the cluster, from a pod's network."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable
from dataclasses import asdict

from haplane.config.model import Host, Inventory
from haplane.config.services import api_service, api_service_name, dns_service
from haplane.drills.probing.client import SECONDS_PER_REQUEST, Target
from haplane.drills.probing.probe import PER_SECOND
from haplane.drills.probing.recording import Recording
from haplane.drills.probing.timeline import Request, parse
from haplane.errors import HaplaneError
from haplane.executor import Executor
from haplane.host_programs import parts, program
from haplane.remote.openssh import ended, ssh_command
from haplane.scripts import script

NONE_RUNS = 3
"""The exit code of newest_process.py where no such process runs."""
NEWEST = (*parts("facts", "static_pods"), *parts("drills", "newest_process"))
IN_CLUSTER = (*parts("facts", "dns"), *parts("drills", "in_cluster"))
"""The program that runs in a pod's network."""


def endpoint_prober(
    target: Target, namespace: str, per_second: float = PER_SECOND, seconds: float = SECONDS_PER_REQUEST
) -> Recording[Request]:
    """Reads and writes at the endpoint, ``per_second`` of each, under a deadline of ``seconds`` each."""
    settings = {"target": asdict(target), "namespace": namespace, "per_second": per_second, "seconds": seconds}
    return Recording([sys.executable, "-m", "haplane.drills.probing.probe"], json.dumps(settings) + "\n", parse)


def in_cluster_prober(inventory: Inventory, host: Host, per_second: float = PER_SECOND) -> Recording[Request]:
    """Requests to the kubernetes service and the DNS service from the network of a CoreDNS pod on ``host``.

    Its times are by that host's clock. Kinds are ``service`` and ``dns``.
    """
    cluster = inventory.cluster
    arguments = (str(api_service(cluster)), str(dns_service(cluster)), api_service_name(cluster), str(per_second))
    prober = ("python3", "-I", "-c", program(*IN_CLUSTER), *arguments)
    inside = script("enter_dns_pod", prober)
    return Recording(ssh_command(host, "sh", "-c", inside), "", requests_of)


def requests_of(lines: Iterable[str]) -> list[Request]:
    """Those that a prober on a host has written, past what its login shell prints."""
    return parse(line for line in lines if line.startswith("{"))


def _runs_dns(host: Host, executor: Executor) -> bool:
    """Whether it runs a CoreDNS pod. Raises HaplaneError where that could not be found out."""
    done = executor.attempt(host, "python3", "-I", "-c", program(*NEWEST), "coredns")
    if done.code not in (0, NONE_RUNS):
        raise ended(host, "python3", done.code, done.stderr)
    return done.code == 0


def host_with_dns(inventory: Inventory, executor: Executor, without: Collection[str]) -> Host:
    """A master, other than those about to be lost, that runs a CoreDNS pod.

    Raises HaplaneError when none does, with those of which it is not known and why.
    """
    unknown = {}
    for host in inventory.masters:
        try:
            if host.name not in without and _runs_dns(host, executor):
                return host
        except HaplaneError as error:
            unknown[host.name] = error.why or error.what
    runs = "is known to run" if unknown else "runs"
    raise HaplaneError(
        f"no surviving master {runs} a CoreDNS pod, whose network --in-cluster uses",
        where=inventory.cluster.name,
        why="; ".join(f"{name} could not be queried: {why}" for name, why in unknown.items()) or None,
        next_step="see `kubectl --namespace=kube-system get pods --selector=k8s-app=kube-dns --output=wide`",
    )
