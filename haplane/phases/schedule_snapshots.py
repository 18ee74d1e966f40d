"""Snapshots of etcd, taken by the members themselves from now on."""

from __future__ import annotations

import hashlib
import json

from haplane.config.model import Host
from haplane.config.snapshots import Snapshots
from haplane.deploys import recipes
from haplane.desired.snapshots import OWN_FILES, SEALED_KEYS_FACTS
from haplane.domain.files import Part, WantedFile
from haplane.domain.plan import Kind
from haplane.domain.snapshot_plan import (
    SEALED_KEYS,
    TIMER_UNIT,
    keys_fingerprint,
    refuse_foreign_signing_key,
    refuse_unproven,
)
from haplane.errors import HaplaneError
from haplane.phases.observe import held_by_masters, identity_digests
from haplane.phases.phase import Phase, Run
from haplane.pki import paths
from haplane.pki.keys import signing_key_pem
from haplane.remote.agent import ask_agent, install_agent, on_all
from haplane.remote.openssh import read_file
from haplane.remote.seal import seal
from haplane.remote.session import deploy
from haplane.snapshots.identities import proven
from haplane.snapshots.packaging import LINK, ROOT, RUN

SERVICE_UNIT = "haplane-snapshot.service"
SIGNING_PUBLIC = f"{paths.SIGNING}.pub"
CHECK_SECONDS = 120


def refuse_unusable_snapshots(run: Run) -> None:
    """Raises Refused for a recipient without a proven identity, and for a signing key that is not the cluster's."""
    snapshots = run.inventory.cluster.snapshots
    if snapshots is None:
        return
    refuse_unproven(snapshots.recipients, proven(), run.observation.reports)
    if snapshots.signing_key is not None:
        wanted = hashlib.sha256(signing_key_pem(snapshots.signing_key)).hexdigest()
        refuse_foreign_signing_key(wanted, held_by_masters(run, SIGNING_PUBLIC), run.inventory.path)


def seal_keys(run: Run) -> None:
    """Once for all members, on any master, or copied from a member that has them."""
    hosts, holders = run.hosts(Kind.SEAL), {item for step in run.plan.of(Kind.SEAL) for item in step.items}
    digests, recipients = identity_digests(run), wanted_snapshots(run).recipients
    if holders:
        sealed = read_sealed(run, run.inventory.host(min(holders)))
    else:
        sealed = seal(run.some_master(), digests, recipients)
    facts = {
        "fingerprint": keys_fingerprint(digests),
        "sha256": hashlib.sha256(sealed).hexdigest(),
        "recipients": sorted(recipients),
    }
    files = (
        WantedFile(SEALED_KEYS, sealed, Part.HOST, 0o600),
        WantedFile(SEALED_KEYS_FACTS, json.dumps(facts, indent=2).encode() + b"\n", Part.HOST, 0o600),
    )
    deploy(hosts, recipes.place_sealed_keys, run.progress, sealed=files)


def read_sealed(run: Run, holder: Host) -> bytes:
    """What that member has, if it still is what the plan was made from. Raises HaplaneError when it is not."""
    sealed = read_file(holder, SEALED_KEYS)
    if hashlib.sha256(sealed).hexdigest() != run.report(holder).files[SEALED_KEYS].sha256:
        raise HaplaneError(
            "the sealed keys changed meanwhile", where=f"{holder.name}: {SEALED_KEYS}", next_step="run again"
        )
    return sealed


def install_agents(run: Run) -> None:
    """On all members at once. A snapshot that is under way goes on with the agent it began with."""
    agent = run.agent
    if agent is None:
        raise HaplaneError("the snapshot agent was not packed", next_step="run again with --debug")
    hosts = run.hosts(Kind.AGENT)
    run.progress(", ".join(host.name for host in hosts), "Install the snapshot agent")
    _, errors = on_all(
        hosts,
        lambda host: install_agent(host, root=ROOT, directory=agent.directory, link=LINK, archive=agent.content),
    )
    if errors:
        raise next(iter(errors.values()))


def start_timers(run: Run) -> None:
    """On all members at once: each knows whose turn it is."""
    hosts = run.hosts(Kind.SCHEDULE)
    deploy(
        hosts,
        recipes.schedule_snapshots,
        run.progress,
        timer=TIMER_UNIT,
        paths_of=run.paths(hosts, Part.SNAPSHOT_TIMER),
    )


def unschedule(run: Run) -> None:
    """Where the inventory wants none any more. What was taken stays."""
    deploy(
        run.hosts(Kind.UNSCHEDULE),
        recipes.unschedule_snapshots,
        run.progress,
        timer=TIMER_UNIT,
        service=SERVICE_UNIT,
        root=ROOT,
        own_files=OWN_FILES,
    )


def check_bucket(run: Run) -> None:
    """Every member puts an object and reads it back. One that cannot is a complaint: it still snapshots locally."""
    snapshots = run.inventory.cluster.snapshots
    if snapshots is None or snapshots.s3 is None:
        return
    hosts = run.reachable(run.inventory.etcd)
    run.progress(", ".join(host.name for host in hosts), "Put an object into the bucket and read it back")
    _, errors = on_all(hosts, lambda host: ask_agent(host, RUN, "check", deadline_seconds=CHECK_SECONDS))
    run.complaints += [
        f"{name} cannot use the bucket {snapshots.s3.bucket}: {_short(error)}" for name, error in errors.items()
    ]


def seems_in_trouble(run: Run, host: Host) -> bool:
    """Whether the member has an error to tell, or nothing good yet."""
    told = run.report(host).snapshots
    return told is None or told.state is None or told.state.last_good is None or told.state.last_error is not None


def wanted_snapshots(run: Run) -> Snapshots:
    """The inventory's settings. Raises HaplaneError where there are none, which no phase here runs without."""
    if run.inventory.cluster.snapshots is None:
        raise HaplaneError("the inventory has no snapshots", next_step="run again with --debug")
    return run.inventory.cluster.snapshots


def _short(error: HaplaneError) -> str:
    return f"{error.what}: {error.why}" if error.why else error.what


SEAL_KEYS = Phase("Seal the cluster's keys", (Kind.SEAL,), seal_keys)
INSTALL_AGENTS = Phase("Install the snapshot agent", (Kind.AGENT,), install_agents)
START_TIMERS = Phase("Schedule snapshots", (Kind.SCHEDULE,), start_timers)
UNSCHEDULE = Phase("Take no more snapshots", (Kind.UNSCHEDULE,), unschedule)
CHECK_BUCKET = Phase("Try the bucket", (Kind.BUCKET,), check_bucket)
