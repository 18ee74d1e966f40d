"""One small pod per node, in a namespace that is removed whatever happens, and probes from inside them.

The image is CoreDNS's: it is on every node already, also where there is no Internet, and its health plugin is an HTTP
server. The probes are Python on the pod's host, inside the pod's network namespace.
"""

from __future__ import annotations

import json
import secrets
import shlex
import signal
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from haplane.checks.fleet import Machine
from haplane.checks.host_facts import NoAnswer, run_on_host
from haplane.checks.pod_manifest import LABEL, manifest
from haplane.domain import host_paths
from haplane.host_programs import parts, program
from haplane.threads import Threads

POD_PROBE = (*parts("facts", "probe", "dns", "namespaces"), *parts("checks", "pod_probe"))
PREFIX = "haplane-verify-"
START_SECONDS = 60
REMOVE_SECONDS = 60
ANSWER_SECONDS = 20  # a service made a moment ago reaches every node in one or two
LEFTOVER = timedelta(hours=1)  # no run takes as long


class PodsFailed(Exception):
    """Pods could not be started, probed or removed; the text says what and why."""


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
    """The outcome of one probe from a pod; ``source`` is the address that it was sent from."""

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
        """What it printed. Raises PodsFailed with its error."""
        command = shlex.join(
            [
                "env",
                "PATH=/usr/local/bin:/usr/bin:/bin",
                "kubectl",
                f"--kubeconfig={host_paths.ADMIN_KUBECONFIG}",
                *arguments,
            ]
        )
        for master in self._masters:
            try:
                done = master.connection.run("printf %%s %s | sh -c %s", stdin, command)
            except RuntimeError:  # ssh's own failure: another master may still be there
                continue
            if done.rc != 0:
                raise PodsFailed(f"kubectl {' '.join(arguments[:3])}: {done.stderr.strip() or done.rc}")
            return str(done.stdout)
        raise PodsFailed("no master is reachable to run kubectl")

    def read(self, *arguments: str) -> dict[str, object]:
        """A JSON document. Raises PodsFailed when it is none."""
        try:
            document = json.loads(self.run(*arguments, "-o", "json"))
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise PodsFailed(f"kubectl {' '.join(arguments[:3])}: the output is not a JSON object")
        return document


@contextmanager
def running_pods(kubectl: Kubectl, image: str, nodes: Sequence[str]) -> Generator[Pods, None, None]:
    """A pod on each of ``nodes``, ready. The namespace goes also after an error, Ctrl-C or SIGTERM.

    Raises PodsFailed when they do not become ready in time or cannot be removed.
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
    """Namespaces of runs that ended without cleaning up, an hour ago or longer. Raises PodsFailed."""
    listed = kubectl.read("get", "namespaces", f"--selector={LABEL}").get("items")
    for item in listed if isinstance(listed, list) else ():
        match item:
            case {"metadata": {"name": str(name), "creationTimestamp": str(created)}} if name.startswith(PREFIX):
                if now - datetime.fromisoformat(created).astimezone(UTC) > LEFTOVER:
                    kubectl.run("delete", "namespace", "--ignore-not-found", "--wait=false", "--", name)


@contextmanager
def _undisturbed() -> Generator[None, None, None]:
    """A second Ctrl-C does not stop the cleaning up; every step in it has a deadline."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def probe_from_pods(
    machines: Mapping[str, Machine], pods: Pods, http: Mapping[str, str], dns: Mapping[str, tuple[str, str]]
) -> dict[str, dict[str, ProbeAnswer] | str]:
    """Every probe from every pod at once: answers by probe by node, or why there is none from a node's pod.

    ``http`` maps a probe to its URL, ``dns`` to the DNS server and the name to resolve.
    """

    def probe(pod: Pod) -> dict[str, ProbeAnswer] | str:
        request: dict[str, object] = {
            "container": pod.container,
            "seconds": ANSWER_SECONDS,
            "http": dict(http),
            "dns": dict(dns),
        }
        try:
            answers = run_on_host(machines[pod.node].connection, program(*POD_PROBE), request)
            return TypeAdapter(dict[str, ProbeAnswer]).validate_json(answers)
        except NoAnswer as reason:
            return str(reason)
        except ValidationError:
            return "its answer cannot be read"

    pool = Threads(len(pods.by_node))
    try:
        return dict(zip(pods.by_node, pool.map(probe, pods.by_node.values()), strict=True))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # an interrupted run removes the namespace at once


def cluster_address(service: Mapping[str, object]) -> str:
    """A service's cluster IP. Raises PodsFailed when it has none."""
    match service:
        case {"spec": {"clusterIP": str(address)}}:
            return address
        case _:
            raise PodsFailed("the service has no cluster IP")


def by_node(pods: Mapping[str, object]) -> dict[str, Pod]:
    """Running pods by the node they are on. Raises PodsFailed for anything but a list of pods."""
    match pods:
        case {"items": list(items)}:
            found = [_pod(item) for item in items]
            return {pod.node: pod for pod in found if pod is not None}
        case _:
            raise PodsFailed("kubectl did not return a list of pods")


def _pod(item: object) -> Pod | None:
    match item:
        case {
            "spec": {"nodeName": str(node)},
            "status": {"podIP": str(address), "containerStatuses": [{"containerID": str(container)}, *_]},
        }:
            return Pod(node, address, container.rpartition("//")[2])
        case _:
            return None
