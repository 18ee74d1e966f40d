"""Whether a member's signing key is to be made anew."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection

from haplane.domain import host_paths
from haplane.domain.observed import HostReport
from haplane.domain.signer import SignerStatement
from haplane.pki.keys import signing_key_pem
from haplane.snapshots.signatures import signed_by


def why_new_signer(
    report: HostReport, *, cluster: str, member: str, issuer_digest: str | None, revoked: Collection[str]
) -> str | None:
    """The reason, or None while the key serves or is absent: what is absent is the plan's to find.

    ``issuer_digest`` is the SHA-256 of the cluster's public key as masters have it, in PEM.
    """
    file = report.files.get(host_paths.MEMBER_SIGNING_KEY)
    if file is None or host_paths.MEMBER_SIGNER_JSON not in report.files:
        return None
    signer = report.snapshots.signer if report.snapshots else None
    statement = SignerStatement.parse(signer.statement) if signer else None
    if signer is None or statement is None:
        return "its certification cannot be read"
    certified = signed_by(statement.issuer, signer.statement.encode(), base64.b64decode(signer.signature))
    issuer = hashlib.sha256(signing_key_pem(statement.issuer)).hexdigest()
    reasons = (
        ((statement.cluster, statement.member) != (cluster, member), f"it is certified for {statement.member}"),
        (issuer != issuer_digest, "it is certified by another signing key than the cluster's"),
        (not certified, "its certification is not the cluster's"),
        (signer.key_sha256 != file.sha256, "it is not the key that is certified"),
        (statement.key in revoked, "it is revoked"),
    )
    return next((why for applies, why in reasons if applies), None)
