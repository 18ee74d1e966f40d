"""`keys rotate` as a whole over hosts in memory, killed before every command and run again."""

from copy import deepcopy

import pytest
import samples
from contexts import write_bundle
from fake_cluster import Killed
from key_holders import KeyHolders

from haplane.domain import host_paths
from haplane.domain.answers import AtRest
from haplane.domain.progress import silent
from haplane.errors import HaplaneError
from haplane.observation import decide
from haplane.phases.rotate import rotate_encryption
from haplane.pki.encryption import EncryptionKey, render_encryption
from haplane.pki.keys import raw_public_key
from haplane.snapshots.packaging import AgentArchive
from haplane.workflows import prepare
from haplane.workflows.rotate import rotate
from haplane.workflows.up import up

RECIPIENTS = (
    "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z",
    "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
)
PUBLIC = f"{host_paths.SIGNING_STEM}.pub"


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """With snapshots, as `up` leaves it."""
    monkeypatch.setattr(decide.ClusterIdentity, "generate", lambda *_: samples.identity())
    monkeypatch.setattr(prepare, "agent_archive", lambda: AgentArchive("0" * 16, b""))
    monkeypatch.setattr("haplane.observation.snapshots.proven", lambda: set(RECIPIENTS))
    write_bundle(tmp_path)
    made = KeyHolders(with_recipients(str(tmp_path), RECIPIENTS[0]))
    run(up, made)
    made.commands = 0
    return made


def with_recipients(bundle, *recipients):
    return samples.inventory(bundle=bundle, proxy_mode="nftables", snapshots={"recipients": recipients})


def run(verb, cluster, *words):
    return verb(cluster.inventory, *words, confirm=lambda _: True, dry_run=False, progress=silent, executor=cluster)


def held(cluster, path):
    """What each master has there."""
    return [cluster.files[host.name].get(path) for host in cluster.inventory.masters]


def nothing_is_left(cluster):
    assert not [path for files in cluster.files.values() for path in files if path.startswith(host_paths.ROTATION)]
    assert run(up, cluster).plan == ()


def only_one_key(cluster, name):
    """In files, in API servers, in etcd and in sealed keys."""
    assert (
        {cluster.keys(host.name) for host in cluster.inventory.masters} == set(cluster.running.values()) == {(name,)}
    )
    assert cluster.stored == cluster.sealed == {name}


def test_afterwards_only_the_new_key_of_secrets_is_anywhere(cluster):
    [old] = cluster.stored
    done = run(rotate, cluster, "encryption").rotated
    assert (done.encryption_key != old, done.secrets) == (True, 3)
    only_one_key(cluster, done.encryption_key)
    nothing_is_left(cluster)


def test_afterwards_every_master_has_one_new_signing_pair_that_certifies_members(cluster):
    old = raw_public_key(samples.identity().signing.public_key, "old")
    done = run(rotate, cluster, "signing").rotated
    assert done.previous_signing_key == old
    assert {raw_public_key(content, PUBLIC) for content in held(cluster, PUBLIC)} == {done.signing_key} != {old}
    for host in cluster.inventory.etcd:
        statement = cluster.now_reported[host.name]["snapshots"]["signer"]["statement"]
        assert f"issuer {done.signing_key}" in statement
    nothing_is_left(cluster)


def test_afterwards_snapshots_and_keys_are_sealed_to_the_new_recipients(cluster):
    cluster.inventory = with_recipients(cluster.inventory.cluster.bundle, RECIPIENTS[1])
    done = run(rotate, cluster, "recipients").rotated
    assert (done.recipients, done.previous_recipients) == (RECIPIENTS[1:], RECIPIENTS[:1])
    assert cluster.sealed_to == RECIPIENTS[1:]
    settings = {cluster.files[host.name][host_paths.SNAPSHOT_SETTINGS_JSON] for host in cluster.inventory.etcd}
    assert all(RECIPIENTS[1].encode() in each and RECIPIENTS[0].encode() not in each for each in settings)
    nothing_is_left(cluster)


@pytest.mark.parametrize("liar", ["m1", "m3"])
def test_keys_that_one_master_has_staged_are_not_taken(cluster, liar):
    """Whoever holds a single master chose the cluster's next signing key, and that of its Secrets."""
    planted = samples.ClusterIdentity.generate("test", samples.NOW)
    key, public = host_paths.ROTATION_FILES["signing"]
    cluster.files[liar] |= {key: planted.signing.private_key, public: planted.signing.public_key}
    new = run(rotate, cluster, "signing").rotated.signing_key
    assert new != raw_public_key(planted.signing.public_key, "planted")
    theirs = EncryptionKey.generate()
    cluster.files[liar] |= {host_paths.ROTATION_ENCRYPTION_YAML: render_encryption([theirs])}
    done = run(rotate, cluster, "encryption").rotated
    assert done.encryption_key != theirs.name
    only_one_key(cluster, done.encryption_key)
    nothing_is_left(cluster)


def test_a_master_that_is_never_rid_of_the_old_key_ends_the_rotation(cluster, monkeypatch):
    """Each turn restarts its API server, and there was no end of them."""
    monkeypatch.setattr(rotate_encryption, "MOST_ACTIONS", 12)
    honest = cluster.read_files
    old = cluster.files["m2"][host_paths.ENCRYPTION_YAML]

    def read_files(host, paths):
        found = honest(host, paths)
        lies = host.name == "m2" and host_paths.ENCRYPTION_YAML in found
        return found | ({host_paths.ENCRYPTION_YAML: old} if lies else {})

    cluster.read_files = read_files
    with pytest.raises(HaplaneError, match="still not exchanged after 12 steps") as error:
        run(rotate, cluster, "encryption")
    assert error.value.where == "m2"


@pytest.mark.parametrize("kind", ["encryption", "signing"])
@pytest.mark.parametrize("first", [1, 2, 3])
def test_killed_before_any_command_the_same_command_completes_it(cluster, kind, first):
    """Each run is killed a few commands later than the one before, until one is not killed any more."""
    for ends_at in range(first, 200, 3):
        cluster.commands, cluster.ends_at = 0, ends_at
        try:
            done = run(rotate, cluster, kind).rotated
        except Killed:
            cluster.away.clear()
            continue
        break
    cluster.ends_at = None
    assert ends_at > 9
    only_one_key(cluster, done.encryption_key or next(iter(cluster.stored)))
    assert len(set(held(cluster, PUBLIC))) == 1
    nothing_is_left(cluster)


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("kind", ["encryption", "signing", "recipients"])
def test_a_master_that_stops_responding_in_the_middle_ends_it_and_the_same_command_completes_it(cluster, kind, at):
    whole = deepcopy(cluster)
    for each in (whole, cluster):
        if kind == "recipients":
            each.inventory = with_recipients(cluster.inventory.cluster.bundle, RECIPIENTS[1])
        each.contacts = 0
    run(rotate, whole, kind)
    cluster.lost_at = int(whole.contacts * at), "m3"
    with pytest.raises(HaplaneError, match="m3"):
        run(rotate, cluster, kind)
    cluster.off.clear()
    cluster.away.clear()
    assert run(rotate, cluster, kind).exit_code == 0
    assert len(set(held(cluster, PUBLIC))) == 1
    nothing_is_left(cluster)


def test_while_one_secret_cannot_be_written_the_old_key_stays(cluster):
    [old] = cluster.stored
    cluster.refuses = True
    with pytest.raises(HaplaneError, match="2 of 3 Secrets cannot be rewritten") as failed:
        run(rotate, cluster, "encryption")
    assert "webhook denied" in failed.value.why
    assert all(old in keys for keys in cluster.running.values())
    with pytest.raises(HaplaneError, match="a rotation of the encryption keys is under way"):
        run(rotate, cluster, "signing")
    cluster.refuses = False
    assert run(rotate, cluster, "encryption").rotated.secrets == 3


def test_one_member_that_claims_that_nothing_is_left_is_not_enough(cluster):
    honest = cluster.secrets_at_rest
    cluster.secrets_at_rest = lambda member, key: AtRest(3, 0, ()) if member.name == "m3" else honest(member, key)
    cluster.refuses = True
    with pytest.raises(HaplaneError, match="the old key is kept"):
        run(rotate, cluster, "encryption")
