"""Clients of a cluster that is upgraded: new connections, one kept HTTP/2 connection, a watch, exec, logs."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rolling_clients import Clients

from haplane.drills.probing.client import Client, Target
from haplane.drills.probing.probers import endpoint_prober
from haplane.drills.probing.timeline import acknowledged_writes, service
from haplane.drills.probing.writes import lost_writes, make_namespace, remove_namespace
from haplane.waiting import wait_until

EVERY_SECONDS = 5.0
STREAM_SECONDS = 20


class KeptClients(Clients):
    """Without the client of new connections: the drill's own prober is that, with more requests."""

    def _new_connections(self) -> None:
        self._stop.wait()


class Streams:
    """`kubectl exec` and `kubectl logs -f`, each started anew every few seconds; ``failures`` with their words."""

    def __init__(self, kubectl: Path, kubeconfig: Path, namespace: str) -> None:
        self._kubectl = [str(kubectl), f"--kubeconfig={kubeconfig}", f"--namespace={namespace}"]
        self.opened = {"exec": 0, "logs": 0}
        self.failures: list[str] = []
        self._stop = threading.Event()

    @contextmanager
    def at_work(self, pods: list[str]) -> Iterator[Streams]:
        threads = [threading.Thread(target=self._repeat, args=(kind, pods), daemon=True) for kind in self.opened]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(STREAM_SECONDS + 5)

    def _repeat(self, kind: str, pods: list[str]) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            pod = pods[self.opened[kind] % len(pods)]
            words = ["exec", pod, "--", "/pause", "--version"] if kind == "exec" else ["logs", "-f", "--tail=1", pod]
            self.opened[kind] += 1
            began = time.time()
            try:
                done = subprocess.run(
                    [*self._kubectl, *words], capture_output=True, text=True, check=False,
                    timeout=STREAM_SECONDS if kind == "exec" else 2,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                if kind == "exec":
                    self.failures.append(f"{time.strftime('%T', time.localtime(began))} exec {pod}: no end")
                continue  # a followed log has no end while its pod runs
            if done.returncode != 0:
                self.failures.append(
                    f"{time.strftime('%T', time.localtime(began))} {kind} {pod}: {done.stderr[-200:]}"
                )


def kubeconfig(target: Target, path: Path) -> Path:
    """The administrator's, for the endpoint."""
    encoded = {
        name: base64.b64encode(getattr(target, name).encode()).decode() for name in ("ca", "certificate", "key")
    }
    document = {
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "x", "cluster": {
            "server": f"https://{target.address}:{target.port}", "certificate-authority-data": encoded["ca"],
        }}],
        "users": [{"name": "x", "user": {
            "client-certificate-data": encoded["certificate"], "client-key-data": encoded["key"],
        }}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }  # fmt: skip
    path.touch(0o600)
    path.write_text(json.dumps(document))
    return path


@contextmanager
def watched(
    target: Target, namespace: str, kubectl: Path, config: Path, pods: list[str]
) -> Iterator[dict[str, object]]:
    """All of them at work within it; afterwards what they saw is in the dictionary."""
    found: dict[str, object] = {}
    client = Client(target)
    make_namespace(client, namespace)
    streams = Streams(kubectl, config, "default")
    try:
        with endpoint_prober(target, namespace) as prober:
            wait_until(lambda: len(list(prober.lines())) > 40, 30, "the prober is at work")
            with KeptClients(target, namespace).at_work(requests=0) as clients, streams.at_work(pods):
                began = time.monotonic()
                yield found
                ended = time.monotonic()
                found["seconds"] = round(ended - began, 1)
            requests = prober.stop()
        acknowledged = acknowledged_writes(requests)
        during = [one for one in requests if one.kind == "write" and one.ok and began + 1 < one.sent < ended]
        names = {f"write-{one.number}" for one in during}
        found["read"], found["write"] = service(requests, "read"), service(requests, "write")
        found["failed_at"] = Counter(
            (int(one.sent - began) // 10 * 10, one.error or str(one.status)) for one in requests if not one.ok
        ).most_common(40)
        found["lost"] = lost_writes(client, namespace, acknowledged)
        found["kept"] = {
            "requests": clients.requests["kept connection"],
            "connections": clients.connections,
            "failures": clients.failures,
        }
        found["watch"] = {"opened": clients.watches, "missed": sorted(names - set(clients._seen))}
        found["streams"] = {"opened": streams.opened, "failures": streams.failures}
    finally:
        remove_namespace(client, namespace)
