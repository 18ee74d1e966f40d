"""Snapshots of etcd, taken by the members themselves from now on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from haplane.config.model import Host
from haplane.config.snapshots import Snapshots
from haplane.context.context import Context
from haplane.context.phase import Look, Phase
from haplane.deploys import recipes
from haplane.desired.snapshots import OWN_FILES
from haplane.domain import host_paths
from haplane.domain.files import Part, WantedFile
from haplane.domain.plan import Kind
from haplane.domain.steps.snapshots import (
    TIMER_UNIT,
    keys_fingerprint,
    refuse_another_signing_key,
    refuse_revoked_signing_key,
    refuse_unproven,
)
from haplane.errors import HaplaneError
from haplane.observation.decide import identity_digests
from haplane.pki.keys import signing_key_pem
from haplane.snapshots.identities import proven
from haplane.threads import on_all

SERVICE_UNIT = "haplane-snapshot.service"
CHECK_SECONDS = 120


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


def seal_keys(context: Context) -> None:
    """On the members of the plan."""
    seal_keys_on(context, context.hosts(Kind.SEAL))


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


def install_agents(context: Context) -> None:
    """On all members at once. A snapshot that is under way goes on with the agent it began with."""
    agent = context.request.agent
    if agent is None:
        raise HaplaneError("the snapshot agent was not packed", next_step="run again with --debug")
    hosts = context.hosts(Kind.AGENT)
    context.progress(", ".join(host.name for host in hosts), "Install the snapshot agent")
    _, errors = on_all(hosts, lambda host: context.executor.install_agent(host, agent.directory, agent.content))
    if errors:
        raise next(iter(errors.values()))


def start_timers(context: Context) -> None:
    """On all members at once: each knows whose turn it is."""
    hosts = context.hosts(Kind.SCHEDULE)
    context.deploy(
        hosts,
        recipes.schedule_snapshots,
        timer=TIMER_UNIT,
        paths_of=context.paths(hosts, Part.SNAPSHOT_TIMER),
    )


def unschedule(context: Context) -> None:
    """Where the inventory wants none any more. What was taken stays."""
    context.deploy(
        context.hosts(Kind.UNSCHEDULE),
        recipes.unschedule_snapshots,
        timer=TIMER_UNIT,
        service=SERVICE_UNIT,
        root=host_paths.AGENT_ROOT,
        own_files=OWN_FILES,
    )


def check_bucket(context: Context) -> None:
    """Every member writes an object and reads it back. A failure becomes a warning: snapshots stay local."""
    snapshots = context.inventory.cluster.snapshots
    if snapshots is None or snapshots.s3 is None:
        return
    hosts = context.reachable(context.inventory.etcd)
    context.progress(", ".join(host.name for host in hosts), "Put an object into the bucket and read it back")
    _, errors = on_all(hosts, lambda host: context.executor.call_agent(host, "check", CHECK_SECONDS))
    context.result.warnings += [
        f"{name} cannot use the bucket {snapshots.s3.bucket}: {error.brief}" for name, error in errors.items()
    ]


def needs_bucket_check(context: Context) -> bool:
    """Whether nothing else is due, and a member reports an error of its snapshots or has no verified one yet."""
    if (
        context.inventory.cluster.snapshots is None
        or context.plan.steps
        or context.result.changed
        or context.request.dry_run
    ):
        return False
    reported = [context.report(host).snapshots for host in context.reachable(context.inventory.etcd)]
    states = [snapshots.state if snapshots else None for snapshots in reported]
    return any(state is None or state.last_verified is None or state.last_error is not None for state in states)


def wanted_snapshots(context: Context) -> Snapshots:
    """The inventory's settings. Raises HaplaneError where there are none, which no phase here runs without."""
    if context.inventory.cluster.snapshots is None:
        raise HaplaneError("the inventory has no snapshots", next_step="run again with --debug")
    return context.inventory.cluster.snapshots


SEAL_KEYS = Phase("Seal the cluster's keys", (Kind.SEAL,), seal_keys)
INSTALL_AGENTS = Phase("Install the snapshot agent", (Kind.AGENT,), install_agents)
START_TIMERS = Phase("Schedule snapshots", (Kind.SCHEDULE,), start_timers)
UNSCHEDULE = Phase("Disable snapshot timers", (Kind.UNSCHEDULE,), unschedule)
CHECK_BUCKET = Phase("Check access to the bucket", (Kind.BUCKET,), check_bucket, when=needs_bucket_check)
REFUSE_UNUSABLE_SNAPSHOTS = Look("Refuse snapshots that could not be restored", refuse_unusable_snapshots)
