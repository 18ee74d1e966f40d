"""When a member's signing key is made anew."""

import hashlib
import json

import pytest
import samples

from haplane.desired.signers import why_new_signer
from haplane.domain import host_paths
from haplane.domain.signer import SignerStatement
from haplane.pki.member_signing import member_signing_files

IDENTITY = samples.identity()
FILES = member_signing_files(IDENTITY.signing, "test", "m1", samples.NOW)
SIGNER = json.loads(FILES[host_paths.MEMBER_SIGNER_JSON])
ISSUER = hashlib.sha256(IDENTITY.signing.public_key).hexdigest()
KEY = SignerStatement.parse(SIGNER["statement"]).key


def why(signer=SIGNER, key=FILES[host_paths.MEMBER_SIGNING_KEY], member="m1", issuer=ISSUER, revoked=()):
    digests = {
        host_paths.MEMBER_SIGNING_KEY: hashlib.sha256(key).hexdigest(),
        host_paths.MEMBER_SIGNER_JSON: samples.SHA256,
    }
    files = {path: {"sha256": digest, "mode": 0o600, "user_id": 0} for path, digest in digests.items()}
    report = samples.report(files=files, snapshots={"signer": signer})
    return why_new_signer(report, cluster="test", member=member, issuer_digest=issuer, revoked=revoked)


def test_one_that_serves_is_left_alone_and_one_that_is_absent_is_the_plans_to_find():
    assert why() is None
    report = samples.report()
    assert why_new_signer(report, cluster="test", member="m1", issuer_digest=ISSUER, revoked=()) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"revoked": (KEY,)}, "revoked"),
        ({"member": "m2"}, "certified for m1"),
        ({"issuer": "0" * 64}, "another signing key"),
        ({"key": IDENTITY.signing.private_key}, "not the key that is certified"),
        ({"signer": None}, "cannot be read"),
        ({"signer": {**SIGNER, "statement": SIGNER["statement"].replace("T", "T ")}}, "cannot be read"),
        ({"signer": {**SIGNER, "signature": "A" * 86 + "=="}}, "certification is not the cluster's"),
        ({"signer": {**SIGNER, "signature": "rubbish"}}, "cannot be read"),
    ],
)
def test_anything_else_is_a_reason(changes, reason):
    assert reason in why(**changes)
