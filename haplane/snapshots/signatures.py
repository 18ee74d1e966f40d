"""Whether the cluster made a snapshot: nothing of it is trusted before its signature is verified.

The cluster's key certifies each member's key, and the member's key signs its manifests. Older versions of haplane
signed manifests with the cluster's key itself; those are accepted until that key is revoked.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from haplane.agent.manifest import MAX_BYTES, Manifest, Signer
from haplane.domain.signer import SignerStatement
from haplane.errors import Refused

REVOKED = "the key that signed this snapshot is revoked"
NEXT_STEP = "use the next older snapshot (`haplane snapshot list INVENTORY`), and find out who wrote this one"


@dataclass(frozen=True)
class SigningKeys:
    """Public keys in base64: the trusted ones of the cluster, the current one first, and the revoked ones."""

    trusted: tuple[str, ...]
    revoked: frozenset[str] = frozenset()


def authentic_manifest(
    content: bytes, signature: bytes, *, keys: SigningKeys, snapshot: str | None, cluster: str, where: str
) -> Manifest:
    """The manifest, if that cluster signed it for that snapshot. Raises Refused otherwise.

    ``snapshot`` is the id under which it is stored; None where it is stored under none.
    """
    statement = _refuse_unsigned(content, signature, keys, where)
    manifest = Manifest.from_bytes(content, where)
    if (manifest.id, manifest.cluster) != (snapshot or manifest.id, cluster):
        raise Refused(
            "this is another snapshot than the one it is stored as",
            where=where,
            why=f"it is {manifest.id} of the cluster {manifest.cluster}",
            next_step=NEXT_STEP,
        )
    if statement is not None and (statement.cluster, statement.member) != (manifest.cluster, manifest.member):
        raise Refused(
            "a member signed this snapshot as another",
            where=where,
            why=f"its manifest names {manifest.member}, and {statement.member} signed it",
            next_step=NEXT_STEP,
        )
    return manifest


def was_ours(content: bytes, signature: bytes, keys: SigningKeys, snapshot: str, cluster: str) -> bool:
    """Whether a key of the cluster, a revoked one included, signed these bytes as that snapshot of that cluster."""
    try:
        _refuse_unsigned(content, signature, keys, "")
    except Refused as error:
        if error.what != REVOKED:
            return False
    try:
        manifest = Manifest.from_bytes(content, "")
    except Refused:
        return False
    return (manifest.id, manifest.cluster) == (snapshot, cluster)


def _refuse_unsigned(content: bytes, signature: bytes, keys: SigningKeys, where: str) -> SignerStatement | None:
    """The certified statement about the member's key; None for a manifest that the cluster's own key signed."""
    signer = _signer_of(content, where)
    if signer is None:
        _refuse_unless_certified(keys, content, signature, where)
        return None
    statement = SignerStatement.parse(signer.statement)
    if statement is None:
        raise _not_the_clusters(where)
    _refuse_unless_certified(keys, signer.statement.encode(), base64.b64decode(signer.signature), where)
    if statement.key in keys.revoked:
        raise _revoked(statement.key, f"{statement.member}'s", where)
    if not signed_by(statement.key, content, signature):
        raise _not_the_clusters(where)
    return statement


def _signer_of(content: bytes, where: str) -> Signer | None:
    """The certification that an unverified manifest names; nothing else of it is read."""
    try:
        if len(content) > MAX_BYTES:
            raise ValueError("too large")
        document = json.loads(content)
        signer = document.get("signer")
        return None if signer is None else Signer.from_document(signer)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise _not_the_clusters(where) from None


def _refuse_unless_certified(keys: SigningKeys, content: bytes, signature: bytes, where: str) -> None:
    """Raises Refused unless a key of the cluster that is trusted and not revoked signed these bytes."""
    signers = [key for key in {*keys.trusted, *keys.revoked} if signed_by(key, content, signature)]
    if not signers:
        raise _not_the_clusters(where)
    if signers[0] in keys.revoked:
        raise _revoked(signers[0], "the cluster's", where)


def _not_the_clusters(where: str) -> Refused:
    return Refused(
        "this snapshot's signature is not the cluster's",
        where=where,
        why="its manifest was not written by a member of this cluster, or was changed afterwards",
        next_step=NEXT_STEP,
    )


def _revoked(key: str, whose: str, where: str) -> Refused:
    return Refused(
        REVOKED,
        where=where,
        why=f'{key}, {whose}, is in cluster["snapshots"]["revoked_signing_keys"]',
        next_step="use another snapshot (`haplane snapshot list INVENTORY`)",
    )


def signed_by(key: str, content: bytes, signature: bytes) -> bool:
    """Whether the private key of that public key signed exactly these bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(key)).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True
