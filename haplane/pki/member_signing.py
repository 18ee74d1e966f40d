"""The key that one member signs snapshots with, made for it alone and certified by the cluster's."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from haplane.domain import host_paths
from haplane.domain.signer import SignerStatement
from haplane.domain.timestamps import timestamp
from haplane.errors import Refused
from haplane.pki.keys import SigningPair, parse_private_key, private_key_pem, raw_public_key


def member_signing_files(cluster_pair: SigningPair, cluster: str, member: str, now: datetime) -> dict[str, bytes]:
    """A new private key, and the statement that certifies it, by their paths on the member.

    Raises Refused when the cluster's pair is not one that signs snapshots.
    """
    issuer = parse_private_key(cluster_pair.private_key, f"{host_paths.SIGNING_STEM}.key")
    if not isinstance(issuer, Ed25519PrivateKey):
        raise Refused(
            "not a key that signs snapshots", where=f"{host_paths.SIGNING_STEM}.key", why="it is not an Ed25519 key"
        )
    private = Ed25519PrivateKey.generate()
    pem = private_key_pem(private)
    statement = SignerStatement(
        cluster=cluster,
        member=member,
        key=base64.b64encode(private.public_key().public_bytes_raw()).decode(),
        issuer=raw_public_key(cluster_pair.public_key, f"{host_paths.SIGNING_STEM}.pub"),
        issued=timestamp(now),
    ).text
    signer = {
        "statement": statement,
        "signature": base64.b64encode(issuer.sign(statement.encode())).decode(),
        "key_sha256": hashlib.sha256(pem).hexdigest(),
    }
    return {
        host_paths.MEMBER_SIGNING_KEY: pem,
        host_paths.MEMBER_SIGNER_JSON: json.dumps(signer, indent=1, sort_keys=True).encode() + b"\n",
    }
