"""A new signing key on all masters, wherever the run before was interrupted; members whose keys it has to certify."""

import hashlib
import json

import pytest
import samples
from contexts import FakeExecutor, context_of

from haplane.deploys import rotation as recipes
from haplane.domain import host_paths
from haplane.domain.plan import Kind
from haplane.errors import Refused
from haplane.observation.decide import decide_steps
from haplane.phases.rotate import rotate_signing as rotating
from haplane.phases.rotate import rotation
from haplane.pki.keys import raw_public_key
from haplane.pki.member_signing import member_signing_files
from haplane.snapshots.packaging import AgentArchive

RECIPIENT = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z"
INVENTORY = samples.inventory(snapshots={"recipients": (RECIPIENT,)})
IDENTITY = samples.identity()
OLD = {
    f"{host_paths.SIGNING_STEM}.key": IDENTITY.signing.private_key,
    f"{host_paths.SIGNING_STEM}.pub": IDENTITY.signing.public_key,
}


class Interrupted(Exception):
    """The run ends here."""


class Masters(FakeExecutor):
    """Their files; each command on one of them may be the last."""

    def __init__(self):
        super().__init__()
        self.files = {host.name: dict(OLD) for host in INVENTORY.masters}
        self.certified = None
        self.left = None

    def command(self):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Interrupted

    def read_files(self, host, wanted):
        return {path: self.files[host.name][path] for path in wanted if path in self.files[host.name]}

    def deploy(self, hosts, recipe, **given):
        for host in hosts:
            self.command()
            if recipe is recipes.write_keys:
                self.files[host.name] |= {file.path: file.content for file in given["keys"]}
            else:
                kept = {path: text for path, text in self.files[host.name].items() if "/rotation/" not in path}
                self.files[host.name] = kept

    def follow(self, run):
        self.command()
        [self.certified] = {files[f"{host_paths.SIGNING_STEM}.pub"] for files in self.files.values()}


@pytest.mark.parametrize("commands", range(11))
def test_all_masters_end_with_one_new_pair_and_members_are_certified_by_it(monkeypatch, commands):
    masters = Masters()
    monkeypatch.setattr(rotating, "follow", masters.follow)
    monkeypatch.setattr(rotating, "known_signing_keys", lambda _: None)
    context = context_of(INVENTORY, executor=masters)
    masters.left = commands if commands < 10 else None
    if masters.left is not None:
        with pytest.raises(Interrupted):
            rotating.rotate_signing(context)
        masters.left = None
    rotating.rotate_signing(context)
    [files] = {tuple(sorted(files.items())) for files in masters.files.values()}
    held = dict(files)
    assert held.keys() == OLD.keys()
    assert held != OLD
    assert raw_public_key(held[f"{host_paths.SIGNING_STEM}.pub"], "x") == context.result.rotated.signing_key
    assert masters.certified == held[f"{host_paths.SIGNING_STEM}.pub"]


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
        files = seen.reports["m3"].model_dump()["files"] | staged
        context = context_of(INVENTORY, samples.altered(seen, "m3", files=files))
        if not refused:
            rotation.refuse_unfinished_signing_rotation(context)
            continue
        with pytest.raises(Refused, match="rotation of the signing keys"):
            rotation.refuse_unfinished_signing_rotation(context)
