"""A throw-away API server over a throw-away etcd, on this machine: what a snapshot is to a Kubernetes client.

It proves what hashes cannot: that the keys which were sealed with it decrypt its Secrets, and that every object in it
is one that this version of Kubernetes reads.
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haplane.errors import DeadlinePassed, HaplaneError, Refused
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.pki.encryption import render_encryption
from haplane.sources.database import Database
from haplane.sources.scratch import Scratch, scratch_etcd
from haplane.sources.tools import Tools

START_SECONDS = 120.0
PAGE = 500
OTHER_PREFIXES = {
    "nodes": "minions",
    "services": "services/specs",
    "endpoints": "services/endpoints",
    "ingresses": "ingress",
    "replicationcontrollers": "controllers",
    "leases": "leases",
}
"""Where etcd's keys are not called as the API's resources are."""


@dataclass(frozen=True)
class Proof:
    """What was read: objects by resource as clients list them, and how many keys etcd had of each."""

    uid: str
    objects: dict[str, int]
    keys: dict[str, int]
    secrets_read: int


def prove(database: Database, identity: ClusterIdentity, tools: Tools, apiserver: Path) -> Proof:
    """Serve the database and list every resource there is. Raises Refused with the first thing that is not right."""
    data = tools.new_directory("sandbox") / "data"
    tools.run(
        "etcdutl", "snapshot", "restore", str(database.path), "--data-dir", str(data), "--name", "scratch",
        "--initial-cluster", "scratch=http://127.0.0.1:1", "--initial-advertise-peer-urls", "http://127.0.0.1:1",
    )  # fmt: skip
    with scratch_etcd(tools, data) as etcd:
        keys = Counter(_type_of(key) for key in etcd.keys("/registry/"))
        with _apiserver(apiserver, etcd, identity, tools) as client:
            uid = client.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
            objects = {path: client.count(path) for path in client.resources()}
    if uid != database.uid:
        raise Refused("the API server tells another cluster's UID than the database", why=f"{uid}, {database.uid}")
    for path, listed in objects.items():
        expected = _keys_of(path, keys)
        if listed < expected:
            raise Refused(
                "the API server lists fewer objects than the database has",
                where=path,
                why=f"{listed} objects, {expected} keys",
            )
    return Proof(uid, objects, dict(keys), objects.get("/api/v1/secrets", 0))


def _type_of(key: str) -> str:
    """``/registry/services/specs/default/x`` is of ``services/specs``, a custom one of ``GROUP/RESOURCE``."""
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
    """An administrator of the sandbox."""

    def __init__(self, port: int, token: str, authority: Path) -> None:
        self.base = f"https://127.0.0.1:{port}"
        self.headers = {"Authorization": f"Bearer {token}"}
        self.context = ssl.create_default_context(cafile=str(authority)) if authority.exists() else None

    def get(self, path: str, *, seconds: float = 60) -> Any:  # noqa: ANN401 - any JSON
        """A document. Raises OSError (urllib's errors are)."""
        asked = urllib.request.Request(self.base + path, headers=self.headers)  # noqa: S310 - https
        handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.context)
        with urllib.request.build_opener(*handlers).open(asked, timeout=seconds) as answer:
            return json.loads(answer.read())

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

    def count(self, path: str) -> int:
        """How many objects, each of them read whole. Raises Refused when one cannot be."""
        number, more = 0, ""
        while True:
            try:
                page = self.get(f"{path}?limit={PAGE}&continue={more}")
            except urllib.error.HTTPError as error:
                raise Refused(
                    "an API server cannot read this snapshot's objects",
                    where=path,
                    why=error.read()[:300].decode(errors="replace"),
                    next_step="the keys that were sealed with it do not fit it: take another snapshot",
                ) from None
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
        process = subprocess.Popen(command, stdout=words, stderr=words)
    try:
        yield _ready(process, port, token, directory / "apiserver.crt", log)
    finally:
        process.kill()
        process.wait()


def _ready(process: subprocess.Popen[bytes], port: int, token: str, certificate: Path, log: Path) -> _Client:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise HaplaneError("a sandboxed API server does not start on this snapshot", why=_last_line(log))
        try:
            client = _Client(port, token, certificate)
            client.get("/api/v1/namespaces/kube-system", seconds=5)
        except OSError:
            time.sleep(0.3)
        else:
            return client
    raise DeadlinePassed(f"a sandboxed API server is not ready within {START_SECONDS:.0f} s", why=_last_line(log))


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1][:300] if lines else "it said nothing"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
