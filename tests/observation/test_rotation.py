"""Members whose keys a signing key has to certify; what waits until its rotation is complete."""

import hashlib
import json

import pytest
import samples
from contexts import context_of

from haplane.domain import host_paths
from haplane.domain.plan import Kind
from haplane.errors import Refused
from haplane.observation.decide import decide_steps
from haplane.observation.rotation import refuse_unfinished_signing_rotation
from haplane.pki.member_signing import member_signing_files
from haplane.snapshots.packaging import AgentArchive

RECIPIENT = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z"
INVENTORY = samples.inventory(snapshots={"recipients": (RECIPIENT,)})
IDENTITY = samples.identity()


def plan_of(signer, digest):
    """What `up` would do for m1 with that certification, of a key with that digest."""
    seen = samples.converged(INVENTORY)
    public = hashlib.sha256(IDENTITY.signing.public_key).hexdigest()
    for name in ("m1", "m2", "m3"):
        files = seen.reports[name].model_dump()["files"]
        files[f"{host_paths.SIGNING_STEM}.pub"] = {"sha256": public, "mode": 0o644, "user_id": 0}
        files[host_paths.MEMBER_SIGNING_KEY] = {"sha256": digest, "mode": 0o600, "user_id": 0}
        files[host_paths.MEMBER_SIGNER_JSON] = {"sha256": samples.SHA256, "mode": 0o644, "user_id": 0}
        if signer is None:
            del files[host_paths.MEMBER_SIGNER_JSON]
        certificates = {host_paths.ETCD_CA_CRT: IDENTITY.etcd.certificate.decode()}
        snapshots = {"agent": "a", "signer": signer}
        seen = samples.altered(seen, name, files=files, certificates=certificates, snapshots=snapshots)
    context = context_of(INVENTORY, seen, agent=AgentArchive("0" * 16, b""))
    decide_steps(context)
    return {path for path in context.plan.items("m1", Kind.KEYS) if path.startswith("/etc/haplane/")}


BOTH = {host_paths.MEMBER_SIGNING_KEY, host_paths.MEMBER_SIGNER_JSON}


def test_up_gives_members_keys_of_their_own_and_new_ones_when_the_clusters_is_another():
    own = member_signing_files(IDENTITY.signing, "test", "m1", samples.NOW)
    key, signer = own[host_paths.MEMBER_SIGNING_KEY], json.loads(own[host_paths.MEMBER_SIGNER_JSON])
    digest = hashlib.sha256(key).hexdigest()
    assert plan_of(signer, digest) == set()
    shared = hashlib.sha256(IDENTITY.signing.private_key).hexdigest()
    assert host_paths.MEMBER_SIGNER_JSON in plan_of(None, shared), (
        "a cluster made when all members had the cluster's key"
    )
    assert plan_of(signer, shared) == BOTH
    other = samples.ClusterIdentity.generate("test", samples.NOW).signing
    foreign = member_signing_files(other, "test", "m1", samples.NOW)
    digest = hashlib.sha256(foreign[host_paths.MEMBER_SIGNING_KEY]).hexdigest()
    assert plan_of(json.loads(foreign[host_paths.MEMBER_SIGNER_JSON]), digest) == BOTH


def test_a_restore_waits_for_new_signing_keys_and_not_for_keys_of_secrets():
    for path, refused in (
        (host_paths.ROTATION_ENCRYPTION_YAML, False),
        (f"{host_paths.ROTATION_SIGNING_STEM}.pub", True),
    ):
        seen = samples.converged(INVENTORY)
        staged = {path: {"sha256": samples.SHA256, "mode": 0o600, "user_id": 0}}
        for name in ("m2", "m3"):
            seen = samples.altered(seen, name, files=seen.reports[name].model_dump()["files"] | staged)
        context = context_of(INVENTORY, seen)
        if not refused:
            refuse_unfinished_signing_rotation(context)
            continue
        with pytest.raises(Refused, match="rotation of the signing keys"):
            refuse_unfinished_signing_rotation(context)
