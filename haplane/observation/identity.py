"""The keys that make the cluster this cluster, read from the masters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.errors import Refused
from haplane.pki.cluster_identity import IDENTITY_PATHS, ClusterIdentity


def identity(context: Context) -> ClusterIdentity:
    """The cluster's identity: made in this run, or read back from the masters into memory, once.

    Raises Refused when what the masters hold is damaged, or is not what they reported when the plan was made.
    """
    if context.decision.identity is not None:
        return context.decision.identity
    found: dict[str, bytes] = {}
    for host in context.reachable(context.inventory.masters):
        wanted = [path for path in IDENTITY_PATHS if path not in found and path in context.report(host).files]
        read = context.executor.read_files(host, wanted)
        _refuse_other_keys(context, host, read)
        found = {**read, **found}
        if set(IDENTITY_PATHS) <= set(found):
            break
    held = ClusterIdentity.from_files(found)
    context.adopt(replace(context.decision, identity=held))
    return held


def _refuse_other_keys(context: Context, host: Host, read: Mapping[str, bytes]) -> None:
    """Raises Refused for files that differ from what the masters, which were compared, reported of them."""
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in read.items()}
    masters = context.inventory.masters
    other = [path for path, digest in digests.items() if digest != context.view.digest_on(masters, path)]
    if other:
        raise Refused(
            f"{host.name} holds other keys than it reported",
            where=f"{host.name}: {', '.join(other)}",
            why="they were replaced after the masters were compared, or the host does not report what it has",
            next_step="run again; if it persists, compare these files on the masters (sha256sum)",
        )
