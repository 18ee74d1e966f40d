"""A cluster in memory whose members take snapshots: signed files here, and objects of a real S3 server."""

import json
from functools import cache
from hashlib import sha256

import samples
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fake_cluster import FakeCluster, converged

from haplane.agent.manifest import KEYS, MANIFEST, PAYLOAD, SIGNATURE, Manifest, SealedKeys, Signer, SnapshotId
from haplane.domain import host_paths
from haplane.pki.member_signing import member_signing_files
from haplane.recovery.places import bucket_of
from haplane.snapshots.directory import Directory

RECIPIENT = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z"
SEALED = b"sealed"


@cache
def signer_of(member):
    """The private key that this member signs with, and its certification by the cluster's."""
    files = member_signing_files(samples.identity().signing, "test", member, samples.NOW)
    facts = json.loads(files[host_paths.MEMBER_SIGNER_JSON])
    private = load_pem_private_key(files[host_paths.MEMBER_SIGNING_KEY], None)
    return private, Signer(facts["statement"], facts["signature"])


class SnapshottingCluster(FakeCluster):
    """``kept`` by member is the directory of its snapshots; ``called`` what agents were told."""

    def __init__(self, inventory, directory):
        super().__init__(inventory, converged(inventory))
        self.kept = {host.name: directory / host.name for host in inventory.etcd}
        self.called, self.revision = [], 100
        for name, kept in self.kept.items():
            kept.mkdir(parents=True)
            self.now_reported[name]["snapshots"] = {"agent": "agent-0", "local": 0}

    def call_agent(self, host, command, deadline_seconds):
        self.called.append((host.name, command))
        self.reached(host)
        return self.take(host.name)

    def stored_snapshots(self, member, directory):
        return MemberDirectory(self, member)

    def take(self, member):
        """A snapshot there and in the bucket; its manifest as the agent prints it."""
        self.revision += 1
        manifest = self._manifest(member, f"database of revision {self.revision}".encode())
        private, _ = signer_of(member)
        parts = {
            PAYLOAD: f"database of revision {self.revision}".encode(),
            KEYS: SEALED,
            MANIFEST: manifest.to_bytes(),
            SIGNATURE: private.sign(manifest.to_bytes()),
        }
        directory = self.kept[member] / manifest.id
        directory.mkdir()
        bucket = bucket_of(self.inventory) if self.inventory.cluster.snapshots.s3 else None
        for part, content in parts.items():
            (directory / part).write_bytes(content)
            if bucket is not None:
                bucket.put_file(manifest.id, part, directory / part)
        return json.loads(manifest.to_bytes())

    def _manifest(self, member, payload):
        now = self.now()
        return Manifest(
            id=str(SnapshotId(now, member, self.revision)), cluster="test", uid=None, member=member, taken_at=now,
            revision=self.revision, quorum_revision=self.revision, key_count=3, database_sha256="0" * 64,
            database_bytes=1, payload_sha256=sha256(payload).hexdigest(), payload_bytes=len(payload),
            etcd_version="3.6.16", kubernetes_version=None, signer=signer_of(member)[1],
            keys=SealedKeys("f" * 64, sha256(SEALED).hexdigest()),
        )  # fmt: skip


class MemberDirectory:
    """What a member keeps, while it responds."""

    def __init__(self, cluster, host):
        self.name, self._cluster, self._host = host.name, cluster, host

    def ids(self):
        return {one.name: (one / SIGNATURE).exists() for one in self._kept().iterdir()}

    def signed(self, ids):
        return {each: Directory(self._kept() / each).signed([each])[each] for each in ids}

    def digest(self, snapshot, part, most):
        return Directory(self._kept() / snapshot).digest(snapshot, part, most)

    def _kept(self):
        self._cluster.reached(self._host)
        return self._cluster.kept[self.name]
