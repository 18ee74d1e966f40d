"""Hosts with an etcd member and an agent, and what they hold."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from haplane.agent.local import LocalSnapshots
from haplane.agent.manifest import Manifest
from haplane.agent.objects import Upload
from haplane.agent.settings import AgentSettings, FailureSettings, HostPaths, S3Settings
from haplane.agent.store import Store
from haplane.pki.keys import SigningPair
from haplane.pki.member_signing import member_signing_files
from haplane.snapshots.packaging import agent_archive
from haplane.snapshots.signatures import SigningKeys, authentic_manifest

from .machinery import Cluster

UID = "0b4c2d5e-8f2e-4f11-9c59-1a2b3c4d5e6f"
NAMESPACE = b"k8s\x00\x0a\x0f\x0a\x02v1\x12\x09Namespace\x12\x35\x0a\x33\x0a\x0bkube-system\x2a\x24" + UID.encode()


def _tar_of(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


KEYS_INSIDE = _tar_of("etc/kubernetes/pki/ca.key", b"secret")


def unpack_agent(directory: Path) -> Path:
    """The agent as hosts get it."""
    with tarfile.open(fileobj=io.BytesIO(agent_archive().content)) as archive:
        archive.extractall(directory)
    return directory


@dataclass
class Member:
    """A host with an etcd member and an agent: its files are below ``root``."""

    root: Path
    settings: AgentSettings
    agent: Path
    programs: Path
    identity: pyrage.x25519.Identity
    signing_key: Ed25519PrivateKey

    @property
    def directory(self) -> Path:
        return Path(self.settings.directory)

    @property
    def state(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(Path(self.settings.paths.state).read_bytes())
        return document

    @property
    def textfile(self) -> str:
        return (self.root / "haplane_snapshot.prom").read_text()

    @property
    def shims(self) -> Path:
        """Programs that stand before the real ones."""
        (self.root / "shims").mkdir(exist_ok=True)
        return self.root / "shims"

    def change(self, **changes: Any) -> None:
        self.settings = dataclasses.replace(self.settings, **changes)

    def start(self, command: str, watched_by: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        settings = self.root / "settings.json"
        settings.write_text(self.settings.to_json())
        words = [*watched_by, sys.executable, "-ESs", self.agent / "run", command, "--settings", settings]
        path = f"{self.root / 'shims'}:{self.programs}:{os.environ['PATH']}"
        return subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/", env={"PATH": path}
        )

    def run(self, command: str, *, exit_code: int = 0) -> dict[str, Any]:
        """What it prints: on stdout, or on stderr when it fails."""
        return self.ended(self.start(command), exit_code=exit_code)

    def ended(self, process: subprocess.Popen[str], *, exit_code: int = 0) -> dict[str, Any]:
        output, error = process.communicate(timeout=120)
        if process.returncode != exit_code:
            raise AssertionError(f"exit {process.returncode}: {output} {error}")
        document: dict[str, Any] = json.loads(error if exit_code else output)
        return document

    def take(self) -> Manifest:
        document = self.run("take")
        place = self.directory / document["id"]
        content = (place / "manifest.json").read_bytes()
        public = base64.b64encode(self.signing_key.public_key().public_bytes_raw()).decode()
        return authentic_manifest(
            content,
            (place / "manifest.sig").read_bytes(),
            keys=SigningKeys((public,)),
            snapshot=document["id"],
            cluster=self.settings.cluster,
            where=str(place),
        )

    def ids(self) -> list[str]:
        return [found.id for found in LocalSnapshots(self.directory).all()] if self.directory.is_dir() else []

    def leftovers(self) -> list[str]:
        """Everything in its directory that is neither a snapshot nor the lock."""
        known = {".lock", *self.ids()}
        return [path.name for path in self.directory.iterdir() if path.name not in known]

    def remote(self) -> Store:
        if self.settings.s3 is None:
            raise LookupError("this member has no bucket")
        return Store(self.settings.s3, self.settings.cluster)


class Members:
    """Makes members; each test's cluster has a name of its own, so that buckets need not be emptied."""

    def __init__(self, root: Path, cluster: Cluster, agent: Path, name: str) -> None:
        self._root, self._cluster, self._agent, self._name = root, cluster, agent, name
        self._identity = pyrage.x25519.Identity.generate()
        self._signing = Ed25519PrivateKey.generate()

    def make(self, name: str = "m1", s3: S3Settings | None = None, **settings: Any) -> Member:
        root = self._root / name
        root.mkdir()
        now = datetime.now(UTC)
        for path, content in member_signing_files(SigningPair.generate(self._signing), self._name, name, now).items():
            (root / Path(path).name).write_bytes(content)
        sealed = pyrage.encrypt(KEYS_INSIDE, [self._identity.to_public()])
        (root / "sealed-keys.age").write_bytes(sealed)
        facts = {"fingerprint": "f" * 64, "sha256": hashlib.sha256(sealed).hexdigest(), "recipients": []}
        (root / "sealed-keys.json").write_text(json.dumps(facts))
        (root / "alarm").write_text(f"#!/bin/sh\ncat >> {root}/alarms\n")
        (root / "alarm").chmod(0o755)
        agent = AgentSettings(
            cluster=self._name,
            member=name,
            recipients=(str(self._identity.to_public()),),
            interval_seconds=86400,
            directory=str(root / "snapshots"),
            s3=s3,
            on_failure=FailureSettings((str(root / "alarm"),)),
            paths=HostPaths(
                etcd_endpoint=self._cluster.url(name),
                signing_key=str(root / "signing.key"),
                signer=str(root / "signing.json"),
                sealed_keys=str(root / "sealed-keys.age"),
                sealed_keys_facts=str(root / "sealed-keys.json"),
                state=str(root / "snapshot-state.json"),
                textfile_directories=(str(root / "absent"), str(root)),
            ),
        )
        made = dataclasses.replace(agent, **settings)
        return Member(root, made, self._agent, self._cluster.programs, self._identity, self._signing)


def unfinished_uploads(store: Store) -> list[Upload]:
    """Multipart uploads below the store's folder that nobody has completed."""
    pages = store._objects.s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=store.settings.bucket, Prefix=store._base
    )
    return [Upload(item["Key"], item["UploadId"]) for page in pages for item in page.get("Uploads", ())]
