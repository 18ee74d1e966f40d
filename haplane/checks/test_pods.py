"""Pods: started on every node, they reach each other, a service and DNS. Only with --with-pods."""

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
    PodTrouble,
    ProbeAnswer,
    ask_from_pods,
    cluster_address,
    remove_leftovers,
    running_pods,
)
from haplane.config.model import Inventory

pytestmark = pytest.mark.pods

SERVICE = "its service"
SERVICE_REQUESTS = 4  # kube-proxy picks a pod for each


@dataclass(frozen=True)
class Asked:
    """The pods, and what each of them was told."""

    pods: Pods
    answers: Mapping[str, dict[str, ProbeAnswer] | str]
    names: Mapping[str, str]

    def by(self, machine: Machine) -> dict[str, ProbeAnswer]:
        """The answers to the pod on that node."""
        if machine.name not in self.pods.by_node:
            pytest.fail("no pod runs on it")
        answers = self.answers[machine.name]
        if isinstance(answers, str):
            pytest.fail(f"its pod could not be asked: {answers}")
        return answers


@pytest.fixture(scope="session")
def asked(inventory: Inventory, fleet: Fleet) -> Generator[Asked, None, None]:
    """One pod on each node that is Ready and answers, and all questions asked from all of them."""
    masters = [fleet.machines[host.name] for host in inventory.masters if host.name in fleet.machines]
    ready = {node.metadata.name for node in fleet.nodes() if node.ready}
    nodes = [host.name for host in inventory.nodes if host.name in ready and host.name in fleet.machines]
    if not nodes:
        pytest.fail("no node is Ready and answers")
    kubectl = Kubectl(masters)
    try:
        dns_server = cluster_address(kubectl.read("get", "service/kube-dns", "--namespace=kube-system"))
        remove_leftovers(kubectl, datetime.now(UTC))
        with running_pods(kubectl, coredns_image(kubectl), nodes) as pods:
            names = dns_names(inventory, pods)
            http = {f"pod on {pod.node}": f"http://{pod.address}:{HTTP_PORT}/health" for pod in pods.by_node.values()}
            http |= {f"{SERVICE}, {turn}": f"http://{pods.service}/health" for turn in range(1, SERVICE_REQUESTS + 1)}
            dns = {name: (dns_server, name) for name in names}
            yield Asked(pods, ask_from_pods(fleet.machines, pods, http, dns), names)
    except PodTrouble as trouble:
        pytest.fail(str(trouble))


def coredns_image(kubectl: Kubectl) -> str:
    """The image the cluster's CoreDNS runs. Raises PodTrouble when there is no such deployment."""
    match kubectl.read("get", "deployment/coredns", "--namespace=kube-system"):
        case {"spec": {"template": {"spec": {"containers": [{"image": str(image)}, *_]}}}}:
            return image
        case _:
            raise PodTrouble("the coredns deployment names no image")


def dns_names(inventory: Inventory, pods: Pods) -> dict[str, str]:
    """Names that must resolve, and to what."""
    domain = inventory.cluster.dns_domain
    return {
        f"kubernetes.default.svc.{domain}": str(inventory.cluster.service_network[1]),
        f"probe.{pods.namespace}.svc.{domain}": pods.service,
    }


def test_pod_network(node: Machine, asked: Asked) -> None:
    """A pod reaches the pods of all nodes from its own address."""
    own = asked.pods.by_node[node.name].address if node.name in asked.pods.by_node else ""
    answers = {name: answer for name, answer in asked.by(node).items() if name.startswith("pod on ")}
    problems = [f"{name}: {answer}" for name, answer in answers.items() if answer.answer != ("200",)]
    problems += [
        f"{name} was asked from {answer.source}, the pod's address is {own}"
        for name, answer in answers.items()
        if not answer.error and answer.source != own
    ]
    assert not problems, "\n".join(problems)


def test_service(node: Machine, asked: Asked) -> None:
    """A pod reaches a service at its cluster address."""
    answers = {name: answer for name, answer in asked.by(node).items() if name.startswith(SERVICE)}
    problems = [f"{name}: {answer}" for name, answer in answers.items() if answer.answer != ("200",)]
    assert not problems, "\n".join(problems)


def test_dns(node: Machine, asked: Asked) -> None:
    """A pod resolves the names of services."""
    answers = asked.by(node)
    problems = [
        f"{name}: {answers[name]}" for name, wanted in asked.names.items() if answers[name].answer != (wanted,)
    ]
    assert not problems, "\n".join(problems)
