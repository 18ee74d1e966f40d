"""A scratch API server over a scratch etcd on this machine: what a Kubernetes client reads of a snapshot.

It proves what hashes cannot: that the sealed keys decrypt its Secrets, and that this version of Kubernetes reads
every object in it.
"""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from haplane.errors import HaplaneError, Refused
from haplane.file_limits import limited
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.pki.encryption import render_encryption
from haplane.recovery.database import Database
from haplane.recovery.scratch.custom_resources import Custom, name_of, reason, without_webhooks
from haplane.recovery.scratch.etcd import Scratch, restored_etcd
from haplane.recovery.scratch.tools import Tools, dies_with_us
from haplane.streams import last_line, tail_of, too_long
from haplane.waiting import wait_until

START_SECONDS = 120.0
CONVERSION_SECONDS = 20.0
"""Until the API server has noticed that a webhook was removed."""
MESSAGE_BYTES = 64 << 10
PAGE = 500
PAGE_BYTES = 1 << 30
"""Of one response: 500 objects of 1.5 MiB, the largest that etcd takes, are 750 MiB."""
OTHER_PREFIXES = {
    "nodes": "minions",
    "services": "services/specs",
    "endpoints": "services/endpoints",
    "ingresses": "ingress",
    "replicationcontrollers": "controllers",
    "leases": "leases",
}
"""Resources whose keys in etcd have another name."""


@dataclass(frozen=True)
class Proof:
    """What was read: the number of objects by resource path, and of etcd keys by resource."""

    uid: str
    objects: dict[str, int]
    keys: dict[str, int]
    secrets_read: int
    unchecked: dict[str, str] = field(default_factory=dict)
    """By resource, how many objects could not be checked here and why. It is not a defect of the snapshot."""

    def document(self) -> dict[str, object]:
        return {"uid": self.uid, "objects": self.objects, "keys": self.keys, "unchecked": self.unchecked}


def prove(database: Database, identity: ClusterIdentity, tools: Tools, apiserver: Path) -> Proof:
    """Serve the database and list every resource. Raises Refused with the first thing that is wrong."""
    data = tools.new_directory("sandbox", database.size) / "data"
    with restored_etcd(tools, database.path, data) as etcd:
        keys = Counter(_type_of(key) for key in etcd.keys("/registry/"))
        with _apiserver(apiserver, etcd, identity, tools) as client:
            uid = client.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
            custom = without_webhooks(client)
            objects, unchecked = _read(client, custom, keys)
    if uid != database.uid:
        raise Refused("the API server reports another UID than the database has", why=f"{uid}, {database.uid}")
    for path, listed in objects.items():
        expected = _keys_of(path, keys)
        if listed < expected:
            raise Refused(
                "the API server lists fewer objects than the database has",
                where=path,
                why=f"{listed} objects, {expected} keys",
            )
    return Proof(uid, objects, dict(keys), objects.get("/api/v1/secrets", 0), unchecked)


def _read(client: _Client, custom: Custom, keys: Counter[str]) -> tuple[dict[str, int], dict[str, str]]:
    """How many objects of each resource were read, and what could not be checked.

    Raises Refused when built-in objects cannot be read: then the sealed keys do not decrypt them.
    """
    objects, unchecked = {}, {}
    for path in client.resources():
        name = name_of(path)
        try:
            objects[path] = client.count(path, patience=CONVERSION_SECONDS if name in custom.converted else 0)
        except urllib.error.HTTPError as error:
            why = reason(error.read(MESSAGE_BYTES))
            if name not in custom.names:
                raise Refused(
                    "an API server cannot read this snapshot's objects",
                    where=path,
                    why=why,
                    next_step="its sealed keys do not decrypt them: use another snapshot",
                ) from None
            unchecked[path] = f"{_keys_of(path, keys)} objects cannot be read here: {why}"
            continue
        if name in custom.converted and objects[path]:
            unchecked[path] = f"{objects[path]} objects were read as stored, without their conversion webhook"
    for name in custom.names - {name_of(path) for path in (*objects, *unchecked)}:
        plural, _, group = name.partition(".")
        if count := keys[f"{group}/{plural}"]:
            unchecked[f"{group}/{plural}"] = f"{count} objects of a resource that the API server does not serve"
    return objects, unchecked


def _type_of(key: str) -> str:
    """``/registry/services/specs/default/x`` gives ``services/specs``, a custom resource ``GROUP/RESOURCE``."""
    words = key.removeprefix("/registry/").split("/")
    two = len(words) > 2 and ("." in words[0] or words[0] == "services")
    return "/".join(words[:2]) if two else words[0]


def _keys_of(path: str, keys: Counter[str]) -> int:
    words = path.split("/")
    resource, group = words[-1], words[2] if words[1] == "apis" else ""
    names = {resource, OTHER_PREFIXES.get(resource, resource), f"{group}/{resource}"}
    own = {name for name in names if "/" in name and "." in name} & set(keys)
    return sum(keys[name] for name in (own or (names if "." not in group or group.endswith(".k8s.io") else ())))


class _Client:
    """An administrator of the scratch API server."""

    def __init__(self, port: int, token: str, authority: Path) -> None:
        self.base = f"https://127.0.0.1:{port}"
        self.headers = {"Authorization": f"Bearer {token}"}
        self.context = ssl.create_default_context(cafile=str(authority)) if authority.exists() else None

    def get(self, path: str, *, seconds: float = 60) -> Any:  # noqa: ANN401 - any JSON
        """A JSON document. Raises OSError, as urllib does."""
        asked = urllib.request.Request(self.base + path, headers=self.headers)  # noqa: S310 - https
        with self._open(asked, seconds) as answer:
            content = answer.read(PAGE_BYTES)
            if answer.read(1):
                raise OSError(f"{path}: {too_long(PAGE_BYTES)}")
            return json.loads(content)

    def _open(self, asked: urllib.request.Request, seconds: float) -> Any:  # noqa: ANN401 - urllib's response
        handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.context)
        return urllib.request.build_opener(*handlers).open(asked, timeout=seconds)

    def resources(self) -> list[str]:
        """The path of every resource that can be listed, its group's preferred version only."""
        versions = ["/api/v1"]
        versions += [f"/apis/{group['preferredVersion']['groupVersion']}" for group in self.get("/apis")["groups"]]
        found = []
        for version in versions:
            try:
                listed = self.get(version)["resources"]
            except urllib.error.HTTPError:  # an aggregated API has no server here
                continue
            found += [
                f"{version}/{one['name']}" for one in listed if "list" in one["verbs"] and "/" not in one["name"]
            ]
        return found

    def patch(self, path: str, change: Mapping[str, object]) -> None:
        """Merge a change into an object. Raises OSError."""
        headers = {**self.headers, "Content-Type": "application/merge-patch+json"}
        content = json.dumps(change).encode()
        self._open(urllib.request.Request(self.base + path, content, headers, method="PATCH"), 60).close()  # noqa: S310

    def count(self, path: str, *, patience: float = 0) -> int:
        """The number of objects, each read whole. Raises HTTPError when one fails for ``patience`` seconds."""
        number, more, give_up_at = 0, "", time.monotonic() + patience
        while True:
            try:
                page = self.get(f"{path}?limit={PAGE}&continue={more}")
            except urllib.error.HTTPError:
                if time.monotonic() >= give_up_at:
                    raise
                time.sleep(0.5)
                continue
            number += len(page.get("items") or ())
            more = page["metadata"].get("continue", "")
            if not more:
                return number


@contextmanager
def _apiserver(program: Path, etcd: Scratch, identity: ClusterIdentity, tools: Tools) -> Iterator[_Client]:
    directory = tools.new_directory("apiserver")
    token, port = secrets.token_hex(16), _free_port()
    files = {
        "token.csv": f'{token},sandbox,sandbox,"system:masters"\n'.encode(),
        "encryption.json": render_encryption(identity.encryption_keys),
        "sa.key": identity.service_account.private_key,
        "sa.pub": identity.service_account.public_key,
    }
    for name, content in files.items():
        (directory / name).touch(mode=0o600)
        (directory / name).write_bytes(content)
    command = [
        str(program), f"--etcd-servers={etcd.endpoint}", f"--secure-port={port}", "--bind-address=127.0.0.1",
        f"--cert-dir={directory}", f"--token-auth-file={directory}/token.csv", "--anonymous-auth=false",
        "--authorization-mode=RBAC", f"--encryption-provider-config={directory}/encryption.json",
        f"--service-account-key-file={directory}/sa.pub", f"--service-account-signing-key-file={directory}/sa.key",
        "--service-account-issuer=https://sandbox.invalid", "--service-cluster-ip-range=10.96.0.0/16",
        "--endpoint-reconciler-type=none", "--watch-cache=false",
    ]  # fmt: skip
    log = directory / "log"
    with log.open("wb") as words:
        process = subprocess.Popen(dies_with_us(limited(command, 0)), stdout=words, stderr=words)
    try:
        yield _ready(process, port, token, directory / "apiserver.crt", log)
    finally:
        process.kill()
        process.wait()


def _ready(process: subprocess.Popen[bytes], port: int, token: str, certificate: Path, log: Path) -> _Client:
    def client() -> _Client | None:
        if process.poll() is not None:
            raise HaplaneError("a scratch API server does not start on this snapshot", why=_last_line(log))
        try:
            made = _Client(port, token, certificate)
            made.get("/api/v1/namespaces/kube-system", seconds=5)
        except OSError:
            return None
        return made

    ready = "a scratch API server is ready on this snapshot"
    return wait_until(client, START_SECONDS, ready, every=0.3, why=lambda: _last_line(log))


def _last_line(log: Path) -> str:
    return last_line(tail_of(log)) or "it printed nothing"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
