"""The cluster's keys, encrypted to the recipients of its snapshots, on members that put them into each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from haplane.config.model import Host
from haplane.config.snapshots import Snapshots
from haplane.context.context import Context
from haplane.deploys import recipes
from haplane.domain import host_paths
from haplane.domain.files import Part, WantedFile
from haplane.domain.steps.snapshots import keys_fingerprint
from haplane.errors import HaplaneError
from haplane.observation.decide import identity_digests


def seal_keys_on(context: Context, hosts: list[Host]) -> None:
    """Once, on any master, the same bytes for all of these members."""
    digests, recipients = (
        identity_digests(context.request, context.view, context.decision),
        wanted_snapshots(context).recipients,
    )
    sealed = context.executor.seal(_holder(context, digests), digests, recipients)
    facts = {
        "fingerprint": keys_fingerprint(digests),
        "sha256": hashlib.sha256(sealed).hexdigest(),
        "recipients": sorted(recipients),
    }
    files = (
        WantedFile(host_paths.SEALED_KEYS_AGE, sealed, Part.HOST, 0o600),
        WantedFile(host_paths.SEALED_KEYS_JSON, json.dumps(facts, indent=2).encode() + b"\n", Part.HOST, 0o600),
    )
    context.deploy(hosts, recipes.place_sealed_keys, sealed=files)


def _holder(context: Context, digests: Mapping[str, str]) -> Host:
    """A master that reports these keys: while they are exchanged, masters differ. Any, where they are new."""
    masters = context.reachable(context.inventory.masters)
    held = {host.name: {path: file.sha256 for path, file in context.report(host).files.items()} for host in masters}
    return next((host for host in masters if digests.items() <= held[host.name].items()), context.some_master())


def wanted_snapshots(context: Context) -> Snapshots:
    """The inventory's settings. Raises HaplaneError where there are none, which no phase here runs without."""
    if context.inventory.cluster.snapshots is None:
        raise HaplaneError("the inventory has no snapshots", next_step="run again with --debug")
    return context.inventory.cluster.snapshots
