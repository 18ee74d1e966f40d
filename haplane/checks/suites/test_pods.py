"""Pods on every node reach each other, a service and DNS. Only with --with-pods."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from haplane.checks.fleet import Fleet, Machine
from haplane.checks.pod_manifest import HTTP_PORT
from haplane.checks.pods import (
    Kubectl,
    Pods,
    PodsFailed,
    ProbeAnswer,
    cluster_address,
    probe_from_pods,
    remove_leftovers,
    running_pods,
)
from haplane.config.model import Inventory

pytestmark = pytest.mark.pods

SERVICE = "its service"
SERVICE_REQUESTS = 4  # kube-proxy picks a pod for each


@dataclass(frozen=True)
class Probed:
    """The pods, and the answers to the probes from each of them."""

    pods: Pods
    answers: Mapping[str, dict[str, ProbeAnswer] | str]
    names: Mapping[str, str]

    def by(self, machine: Machine) -> dict[str, ProbeAnswer]:
        """The answers to the probes from the pod on that node."""
        if machine.name not in self.pods.by_node:
            pytest.fail("no pod runs on this node")
        answers = self.answers[machine.name]
        if isinstance(answers, str):
            pytest.fail(f"no answer from its pod: {answers}")
        return answers


@pytest.fixture(scope="session")
def probed(inventory: Inventory, fleet: Fleet) -> Generator[Probed, None, None]:
    """One pod on each reachable node that is Ready, and the answers to all probes from all of them."""
    masters = [fleet.machines[host.name] for host in inventory.masters if host.name in fleet.machines]
    ready = {node.name for node in fleet.nodes() if node.ready}
    nodes = [host.name for host in inventory.nodes if host.name in ready and host.name in fleet.machines]
    if not nodes:
        pytest.fail("no reachable node is Ready")
    kubectl = Kubectl(masters)
    try:
        dns_server = cluster_address(kubectl.read("get", "service/kube-dns", "--namespace=kube-system"))
        remove_leftovers(kubectl, datetime.now(UTC))
        with running_pods(kubectl, coredns_image(kubectl), nodes) as pods:
            names = dns_names(inventory, pods)
            http = {f"pod on {pod.node}": f"http://{pod.address}:{HTTP_PORT}/health" for pod in pods.by_node.values()}
            http |= {f"{SERVICE}, {turn}": f"http://{pods.service}/health" for turn in range(1, SERVICE_REQUESTS + 1)}
            dns = {name: (dns_server, name) for name in names}
            yield Probed(pods, probe_from_pods(fleet.machines, pods, http, dns), names)
    except PodsFailed as error:
        pytest.fail(str(error))


def coredns_image(kubectl: Kubectl) -> str:
    """The image the cluster's CoreDNS runs. Raises PodsFailed when there is no such deployment."""
    match kubectl.read("get", "deployment/coredns", "--namespace=kube-system"):
        case {"spec": {"template": {"spec": {"containers": [{"image": str(image)}, *_]}}}}:
            return image
        case _:
            raise PodsFailed("the coredns deployment names no image")


def dns_names(inventory: Inventory, pods: Pods) -> dict[str, str]:
    """Names that must resolve, and to what."""
    domain = inventory.cluster.dns_domain
    return {
        f"kubernetes.default.svc.{domain}": str(inventory.cluster.service_network[1]),
        f"probe.{pods.namespace}.svc.{domain}": pods.service,
    }


def test_pod_network(node: Machine, probed: Probed) -> None:
    """A pod reaches the pods of all nodes from its own address."""
    own = probed.pods.by_node[node.name].address if node.name in probed.pods.by_node else ""
    answers = {name: answer for name, answer in probed.by(node).items() if name.startswith("pod on ")}
    problems = [f"{name}: {answer}" for name, answer in answers.items() if answer.answer != ("200",)]
    problems += [
        f"{name} was probed from {answer.source}, not from the pod's address {own}"
        for name, answer in answers.items()
        if not answer.error and answer.source != own
    ]
    assert not problems, "\n".join(problems)


def test_service(node: Machine, probed: Probed) -> None:
    """A pod reaches a service at its cluster address."""
    answers = {name: answer for name, answer in probed.by(node).items() if name.startswith(SERVICE)}
    problems = [f"{name}: {answer}" for name, answer in answers.items() if answer.answer != ("200",)]
    assert not problems, "\n".join(problems)


def test_dns(node: Machine, probed: Probed) -> None:
    """A pod resolves the names of services."""
    answers = probed.by(node)
    problems = [
        f"{name}: {answers[name]}" for name, wanted in probed.names.items() if answers[name].answer != (wanted,)
    ]
    assert not problems, "\n".join(problems)
