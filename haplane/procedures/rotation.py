"""What rotations of keys share: the new keys lie staged on every master until the rotation is complete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.deploys import rotation as recipes
from haplane.domain import host_paths
from haplane.domain.files import Part, WantedFile
from haplane.domain.plan import Kind, Plan
from haplane.domain.quorum import majority
from haplane.observation.decide import decide_steps
from haplane.observation.observe import observe
from haplane.procedures.prepare_hosts import prepare_hosts
from haplane.procedures.seal_keys import seal_keys_on


def staged(context: Context, kind: str) -> dict[str, bytes]:
    """The new keys by their staged paths, where more than half of all masters hold the same; empty where not.

    They are on all masters before any is used, so what fewer hold was never used, or is not ours.
    """
    paths = host_paths.ROTATION_FILES[kind]
    held = [context.executor.read_files(host, paths) for host in context.inventory.masters]
    counted = Counter(tuple(found[path] for path in paths) for found in held if set(found) == set(paths))
    for contents, votes in counted.most_common(1):
        if votes >= majority(len(held)):
            return dict(zip(paths, contents, strict=True))
    return {}


def write_on_masters(context: Context, files: Mapping[str, bytes]) -> None:
    """Keys, at their paths, on all masters at once."""
    write_on(context, context.inventory.masters, files)


def write_on(context: Context, hosts: tuple[Host, ...], files: Mapping[str, bytes]) -> None:
    """Keys, at their paths, on these hosts at once."""
    keys = [
        WantedFile(path, content, Part.HOST, 0o644 if path.endswith(".pub") else 0o600, secret=True)
        for path, content in files.items()
    ]
    context.deploy(hosts, recipes.write_keys, keys=keys)


def _look_at_new_keys(context: Context) -> None:
    """What the masters hold now; the identity that was read before is no longer theirs."""
    context.adopt(replace(context.decision, identity=None))
    observe(context)


def seal_anew(context: Context) -> None:
    """The keys as masters have them now, for every member."""
    if context.inventory.cluster.snapshots is None:
        return
    _look_at_new_keys(context)
    seal_keys_on(context, list(context.inventory.etcd))


def follow(context: Context) -> None:
    """What members have to get because a key of the cluster is another one: their own keys, and sealed ones."""
    _look_at_new_keys(context)
    decide_steps(context)
    context.adopt(replace(context.decision, plan=Plan(context.plan.of(Kind.KEYS))))
    if context.plan.steps:
        prepare_hosts(context)
    seal_anew(context)


def remove_staged_keys(context: Context) -> None:
    """The rotation is complete."""
    context.deploy(context.inventory.masters, recipes.remove_staged, directory=host_paths.ROTATION)
