"""A new signing key of the cluster, on every master, and new keys of members that it certifies."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.context.result import Rotated
from haplane.domain import host_paths
from haplane.observation.rotation import deciding
from haplane.observation.signing_key import held_signing_key
from haplane.pki.keys import SigningPair, raw_public_key
from haplane.procedures.rotation import follow, remove_staged_keys, staged, write_on_masters

KEY, PUBLIC = host_paths.ROTATION_FILES["signing"]
PLAN = (
    "masters: write a new signing key, all at once",
    "members: issue new keys that it certifies, seal the cluster's keys anew",
)


def rotate_signing(context: Context) -> None:
    """Carried on from where an earlier run was interrupted."""
    previous = held_signing_key(context) if context.inventory.cluster.snapshots is not None else None
    found = staged(context, "signing")
    if not found or SigningPair(found[PUBLIC], found[KEY]).disagreement("the staged signing key"):
        pair = SigningPair.generate(Ed25519PrivateKey.generate())
        found = {KEY: pair.private_key, PUBLIC: pair.public_key}
    write_on_masters(context, found)
    write_on_masters(
        context, {f"{host_paths.SIGNING_STEM}.key": found[KEY], f"{host_paths.SIGNING_STEM}.pub": found[PUBLIC]}
    )
    follow(context)
    remove_staged_keys(context)
    new = raw_public_key(found[PUBLIC], PUBLIC)
    context.result.rotated = Rotated(signing_key=new, previous_signing_key=previous if previous != new else None)


DECIDE_SIGNING = deciding("signing", PLAN)
ROTATE_SIGNING = Phase("Rotate the signing keys", (), rotate_signing, when=lambda context: context.result.changed)
