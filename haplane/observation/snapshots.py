"""Refuse snapshots that could not be restored, before any is taken."""

from __future__ import annotations

import hashlib

from haplane.context.context import Context
from haplane.context.phase import Look
from haplane.domain import host_paths
from haplane.domain.steps.snapshots import refuse_another_signing_key, refuse_revoked_signing_key, refuse_unproven
from haplane.pki.keys import signing_key_pem
from haplane.snapshots.identities import proven


def refuse_unusable_snapshots(context: Context) -> None:
    """Raises Refused for a recipient without a proven identity, and for a signing key that is not the cluster's."""
    snapshots = context.inventory.cluster.snapshots
    if snapshots is None:
        return
    refuse_unproven(snapshots.recipients, proven(), context.observation.reports)
    refuse_revoked_signing_key(snapshots.signing_key, snapshots.revoked_signing_keys, context.inventory.path)
    if snapshots.signing_key is not None:
        wanted = hashlib.sha256(signing_key_pem(snapshots.signing_key)).hexdigest()
        held = context.view.digest_on(context.inventory.masters, host_paths.SIGNING_PUB)
        refuse_another_signing_key(wanted, held, context.inventory.path)


REFUSE_UNUSABLE_SNAPSHOTS = Look("Refuse snapshots that could not be restored", refuse_unusable_snapshots)
