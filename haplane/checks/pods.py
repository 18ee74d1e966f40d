"""One small pod per node, in a namespace that goes again whatever happens, and questions asked from inside them.

The image is CoreDNS's: it is on every node already, also where there is no Internet, and its health plugin is an HTTP
server. What asks is Python on the pod's host, inside the pod's network namespace.
"""

from __future__ import annotations

import json
import secrets
import shlex
import signal
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from haplane.checks.fleet import Machine
from haplane.checks.pod_manifest import LABEL, manifest
from haplane.checks.questions import ADMIN
from haplane.checks.survey import CannotAnswer, run_on_host

PREFIX = "haplane-verify-"
START_SECONDS = 60
REMOVE_SECONDS = 60
ANSWER_SECONDS = 20  # a service made a moment ago reaches every node in one or two
LEFTOVER = timedelta(hours=1)  # no run takes as long: the one that made it was cut off


class PodTrouble(Exception):
    """Pods could not be started, asked or removed; the text says what and why."""


@dataclass(frozen=True)
class Pod:
    """A running pod: where, at which address, and its container's id."""

    node: str
    address: str
    container: str


@dataclass(frozen=True)
class Pods:
    """The pods by node, and the service in front of them."""

    namespace: str
    service: str
    by_node: dict[str, Pod]


class ProbeAnswer(BaseModel):
    """What a question asked from a pod came to; ``source`` is the address it was asked from."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: str
    answer: tuple[str, ...]
    error: str | None

    def __str__(self) -> str:
        return self.error or ", ".join(self.answer)


class Kubectl:
    """kubectl as the administrator, through the endpoint, on the first master that can be reached."""

    def __init__(self, masters: Sequence[Machine]) -> None:
        self._masters = masters

    def run(self, *arguments: str, stdin: str = "") -> str:
        """What it printed. Raises PodTrouble with its own words."""
        command = shlex.join(
            ["env", "PATH=/usr/local/bin:/usr/bin:/bin", "kubectl", f"--kubeconfig={ADMIN}", *arguments]
        )
        for master in self._masters:
            try:
                done = master.connection.run("printf %%s %s | sh -c %s", stdin, command)
            except RuntimeError:  # ssh's own failure: another master may still be there
                continue
            if done.rc != 0:
                raise PodTrouble(f"kubectl {' '.join(arguments[:3])}: {done.stderr.strip() or done.rc}")
            return str(done.stdout)
        raise PodTrouble("no master can be reached to run kubectl")

    def read(self, *arguments: str) -> dict[str, object]:
        """A JSON document. Raises PodTrouble when it is none."""
        try:
            document = json.loads(self.run(*arguments, "-o", "json"))
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise PodTrouble(f"kubectl {' '.join(arguments[:3])}: not the JSON it should be")
        return document


@contextmanager
def running_pods(kubectl: Kubectl, image: str, nodes: Sequence[str]) -> Generator[Pods, None, None]:
    """A pod on each of ``nodes``, ready. The namespace goes also after an error, Ctrl-C or SIGTERM.

    Raises PodTrouble when they do not become ready in time or cannot be removed.
    """
    namespace = PREFIX + secrets.token_hex(2)
    try:
        kubectl.run("apply", "-f", "-", stdin=json.dumps(manifest(namespace, image, nodes)))
        kubectl.run("rollout", "status", "daemonset/probe", f"--namespace={namespace}", f"--timeout={START_SECONDS}s")
        service = kubectl.read("get", "service/probe", f"--namespace={namespace}")
        pods = kubectl.read("get", "pods", f"--namespace={namespace}", f"--selector={LABEL}")
        yield Pods(namespace, cluster_address(service), by_node(pods))
    finally:
        with _undisturbed():
            kubectl.run(
                *("delete", "namespace", namespace, "--ignore-not-found", "--wait", f"--timeout={REMOVE_SECONDS}s")
            )


def remove_leftovers(kubectl: Kubectl, now: datetime) -> None:
    """Namespaces of runs that were cut off with their machine an hour ago or longer. Raises PodTrouble."""
    listed = kubectl.read("get", "namespaces", f"--selector={LABEL}").get("items")
    for item in listed if isinstance(listed, list) else ():
        match item:
            case {"metadata": {"name": str(name), "creationTimestamp": str(created)}} if name.startswith(PREFIX):
                if now - datetime.fromisoformat(created).astimezone(UTC) > LEFTOVER:
                    kubectl.run("delete", "namespace", name, "--ignore-not-found", "--wait=false")


@contextmanager
def _undisturbed() -> Generator[None, None, None]:
    """A second Ctrl-C does not stop the cleaning up; every step in it has a deadline."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ask_from_pods(
    machines: Mapping[str, Machine], pods: Pods, http: Mapping[str, str], dns: Mapping[str, tuple[str, str]]
) -> dict[str, dict[str, ProbeAnswer] | str]:
    """Every question asked from every pod at once: answers by question by node, or why a node's pod told nothing.

    ``http`` maps a question to its URL, ``dns`` to the DNS server and the name asked for.
    """

    def ask(pod: Pod) -> dict[str, ProbeAnswer] | str:
        request: dict[str, object] = {
            "container": pod.container,
            "seconds": ANSWER_SECONDS,
            "http": dict(http),
            "dns": dict(dns),
        }
        try:
            answers = run_on_host(machines[pod.node].connection, "pod_probe.py", request)
            return TypeAdapter(dict[str, ProbeAnswer]).validate_json(answers)
        except CannotAnswer as reason:
            return str(reason)
        except ValidationError:
            return "its answer cannot be read"

    pool = ThreadPoolExecutor(max(1, len(pods.by_node)))
    try:
        return dict(zip(pods.by_node, pool.map(ask, pods.by_node.values()), strict=True))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # who is interrupted removes the namespace at once


def cluster_address(service: Mapping[str, object]) -> str:
    """A service's cluster IP. Raises PodTrouble when it has none."""
    match service:
        case {"spec": {"clusterIP": str(address)}}:
            return address
        case _:
            raise PodTrouble("the service has no cluster address")


def by_node(pods: Mapping[str, object]) -> dict[str, Pod]:
    """Running pods by the node they are on. Raises PodTrouble for a list that is not kubectl's."""
    match pods:
        case {"items": list(items)}:
            found = [_pod(item) for item in items]
            return {pod.node: pod for pod in found if pod is not None}
        case _:
            raise PodTrouble("the list of pods is not kubectl's")


def _pod(item: object) -> Pod | None:
    match item:
        case {
            "spec": {"nodeName": str(node)},
            "status": {"podIP": str(address), "containerStatuses": [{"containerID": str(container)}, *_]},
        }:
            return Pod(node, address, container.rpartition("//")[2])
        case _:
            return None
