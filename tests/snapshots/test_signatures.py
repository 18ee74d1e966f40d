"""Whose signature counts: the cluster's, and those of members that it certified, until they are revoked."""

import base64
import json
from dataclasses import replace

import pytest
from agent.test_manifest import GOOD, TAKEN_AT
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from haplane.agent.manifest import Signer
from haplane.domain import host_paths
from haplane.domain.signer import SignerStatement
from haplane.errors import Refused
from haplane.pki.keys import SigningPair
from haplane.pki.member_signing import member_signing_files
from haplane.snapshots.signatures import SigningKeys, authentic_manifest

CLUSTER, OLD, OTHER = (Ed25519PrivateKey.generate() for _ in range(3))


def public(key):
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def member_key(member="m2", issuer=CLUSTER, cluster="prod"):
    """A member's private key and its certification."""
    files = member_signing_files(SigningPair.generate(issuer), cluster, member, TAKEN_AT)
    facts = json.loads(files[host_paths.MEMBER_SIGNER_JSON])
    private = load_pem_private_key(files[host_paths.MEMBER_SIGNING_KEY], None)
    return private, Signer(facts["statement"], facts["signature"])


KEY, SIGNER = member_key()


CERTIFIED, TRUSTED = replace(GOOD, signer=SIGNER), SigningKeys((public(CLUSTER),))


def read(manifest=CERTIFIED, key=KEY, keys=TRUSTED, cluster="prod"):
    content = manifest.to_bytes()
    return authentic_manifest(
        content, key.sign(content), keys=keys, snapshot=manifest.id, cluster=cluster, where="bucket: x"
    )


def test_a_member_signs_as_itself_and_the_cluster_certifies_it():
    assert read().member == "m2"


def test_what_the_shared_key_of_older_versions_signed_still_counts():
    assert read(GOOD, CLUSTER) == GOOD


def test_previous_keys_of_the_cluster_count_while_they_are_listed():
    key, signer = member_key(issuer=OLD)
    both = SigningKeys((public(CLUSTER), public(OLD)))
    assert read(replace(GOOD, signer=signer), key, both).member == "m2"
    assert read(GOOD, OLD, both) == GOOD
    with pytest.raises(Refused, match="not the cluster's"):
        read(replace(GOOD, signer=signer), key)


FORGED = {
    "another member's key": (replace(GOOD, signer=SIGNER), OTHER),
    "a key that the member certified itself": (replace(GOOD, signer=member_key(issuer=KEY)[1]), KEY),
    "a stranger's certification": (replace(GOOD, signer=member_key(issuer=OTHER)[1]), OTHER),
    "a changed statement": (
        replace(GOOD, signer=Signer(SIGNER.statement.replace("m2", "m3"), SIGNER.signature)),
        KEY,
    ),
    "no statement": (replace(GOOD, signer=Signer("no statement", SIGNER.signature)), KEY),
    "a member's key without certification": (GOOD, KEY),
}


@pytest.mark.parametrize("kind", FORGED)
def test_anything_else_is_not_the_clusters(kind):
    with pytest.raises(Refused, match="signature is not the cluster's"):
        read(*FORGED[kind])


def test_a_member_cannot_sign_as_another_nor_for_another_cluster():
    key, signer = member_key("m3")
    with pytest.raises(Refused, match="signed this snapshot as another"):
        read(replace(GOOD, signer=signer), key)
    key, signer = member_key(cluster="test")
    with pytest.raises(Refused, match="signed this snapshot as another"):
        read(replace(GOOD, signer=signer), key)


def test_a_revoked_key_signs_nothing_and_the_others_go_on():
    key, signer = member_key("m3")
    revoked = SigningKeys((public(CLUSTER),), frozenset({public(KEY)}))
    with pytest.raises(Refused, match="revoked") as refused:
        read(keys=revoked)
    assert "m2's" in refused.value.why
    other = replace(GOOD, id=GOOD.id.replace("m2", "m3"), member="m3", signer=signer)
    assert read(other, key, revoked).member == "m3"


@pytest.mark.parametrize("manifest", [GOOD, replace(GOOD, signer=SIGNER)])
def test_a_revoked_key_of_the_cluster_takes_what_it_certified_with_it(manifest):
    keys = SigningKeys((public(OTHER), public(CLUSTER)), frozenset({public(CLUSTER)}))
    with pytest.raises(Refused, match="revoked"):
        read(manifest, CLUSTER if manifest is GOOD else KEY, keys)


def test_every_member_gets_a_key_of_its_own():
    made = [member_signing_files(SigningPair.generate(CLUSTER), "prod", name, TAKEN_AT) for name in ("m1", "m2")]
    assert made[0][host_paths.MEMBER_SIGNING_KEY] != made[1][host_paths.MEMBER_SIGNING_KEY]
    statement = SignerStatement.parse(json.loads(made[0][host_paths.MEMBER_SIGNER_JSON])["statement"])
    assert (statement.cluster, statement.member, statement.issuer) == ("prod", "m1", public(CLUSTER))
