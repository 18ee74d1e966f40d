"""The cluster's signing key, as masters hold it now."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.domain import host_paths
from haplane.errors import HaplaneError
from haplane.pki.keys import raw_public_key


def held_signing_key(context: Context) -> str | None:
    """The public half that all reachable masters hold, as base64; None where they hold different ones, or none."""
    held = set()
    for master in context.reachable(context.inventory.masters):
        try:
            content = context.executor.read_files(master, [host_paths.SIGNING_PUB])[host_paths.SIGNING_PUB]
            held.add(raw_public_key(content, f"{master.name}:{host_paths.SIGNING_PUB}"))
        except (HaplaneError, KeyError):  # it has gone away, or has no key
            continue
    return held.pop() if len(held) == 1 else None
