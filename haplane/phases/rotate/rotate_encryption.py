"""A new key for Secrets at rest, exchanged while API servers serve, one restarted at a time."""

from __future__ import annotations

import hashlib

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.context.result import Rotated
from haplane.deploys import rotation as recipes
from haplane.domain import host_paths
from haplane.domain.key_rotation import Action, MasterKeys, Stage, next_action, order_of
from haplane.errors import HaplaneError
from haplane.observation.rotation import deciding
from haplane.pki.encryption import EncryptionKey, merge_encryption, parse_encryption, render_encryption
from haplane.procedures.restart import restart_control_plane
from haplane.procedures.rotation import follow, remove_staged_keys, seal_anew, staged, write_on, write_on_masters

ATTEMPTS = 5
MOST_ACTIONS = 60
"""More than any inventory can need, three for each master and the Secrets': each restarts an API server."""

PLAN = (
    "masters, one at a time: restart the API server so that it reads the new key as well",
    "members: seal the cluster's keys anew, the old and the new one",
    "masters, one at a time: restart the API server so that it writes with the new key",
    "the cluster: rewrite every Secret, and check on every member that all are stored under the new key",
    "masters, one at a time: restart the API server without the old key",
    "members: seal the cluster's keys anew; older snapshots keep the old key in theirs",
)


def rotate_encryption(context: Context) -> None:
    """Carried on from where an earlier run was interrupted."""
    found = staged(context, "encryption") or {
        host_paths.ROTATION_ENCRYPTION_YAML: render_encryption([EncryptionKey.generate()])
    }
    write_on_masters(context, found)
    [new] = parse_encryption(found[host_paths.ROTATION_ENCRYPTION_YAML], host_paths.ROTATION_ENCRYPTION_YAML)
    sealed = False
    turns = 0
    while action := next_action(new.name, _states(context), lambda: _left(context, new.name) == 0):
        turns += 1
        if turns > MOST_ACTIONS:
            raise _no_end(context, action)
        context.progress(action.master or "Secrets", action.stage.value)
        if action.master is None:
            _rewrite(context, new.name)
            continue
        if action.stage is Stage.WRITE and not sealed:
            seal_anew(context)  # before anything is written with a key that no snapshot has
            sealed = True
        _serve_with(context, context.inventory.host(action.master), action, new)
    follow(context)
    total = context.executor.secrets_at_rest(context.inventory.etcd[0], new.name).total
    remove_staged_keys(context)
    context.result.rotated = Rotated(encryption_key=new.name, secrets=total)


def _no_end(context: Context, action: Action) -> HaplaneError:
    return HaplaneError(
        f"the key of Secrets at rest is still not exchanged after {MOST_ACTIONS} steps",
        where=action.master,
        why=f"a host undoes what this run does, or reports it wrongly; the next step was: {action.stage.value}",
        next_step=f"check that host, then re-run `haplane keys rotate {context.inventory.path} encryption`",
    )


def _states(context: Context) -> dict[str, MasterKeys]:
    found = {}
    for host in context.inventory.masters:
        files = context.executor.read_files(host, [host_paths.ENCRYPTION_YAML, host_paths.ROTATION_SERVED])
        content = files.get(host_paths.ENCRYPTION_YAML, b"")
        names = tuple(key.name for key in parse_encryption(content, f"{host.name}:{host_paths.ENCRYPTION_YAML}"))
        served = files.get(host_paths.ROTATION_SERVED, b"").decode(errors="replace").strip()
        found[host.name] = MasterKeys(names, served == hashlib.sha256(content).hexdigest())
    return found


def _serve_with(context: Context, host: Host, action: Action, new: EncryptionKey) -> None:
    held = parse_encryption(
        context.executor.read_files(host, [host_paths.ENCRYPTION_YAML])[host_paths.ENCRYPTION_YAML],
        f"{host.name}:{host_paths.ENCRYPTION_YAML}",
    )
    known = {key.name: key for key in merge_encryption([held, [new]])}
    names = tuple(key.name for key in held)
    wanted = order_of(action.stage, names, new.name)
    if wanted != names:
        write_on(context, (host,), {host_paths.ENCRYPTION_YAML: render_encryption([known[name] for name in wanted])})
    restart_control_plane(context, host)
    context.deploy([host], recipes.note_served, port=context.inventory.cluster.apiserver_port)


def _rewrite(context: Context, key: str) -> None:
    """Raises HaplaneError, with the old key still there, when Secrets cannot be written anew."""
    failure = None
    for _ in range(ATTEMPTS):
        failure = context.executor.rewrite_secrets(context.some_master())
        if _left(context, key) == 0:
            return
    found = [context.executor.secrets_at_rest(member, key) for member in context.inventory.etcd]
    worst = max(found, key=lambda one: one.others)
    raise HaplaneError(
        f"{worst.others} of {worst.total} Secrets cannot be rewritten; the old key is kept",
        where=", ".join(worst.some),
        why=failure,
        next_step=f"fix what refuses them, then re-run `haplane keys rotate {context.inventory.path} encryption`",
    )


def _left(context: Context, key: str) -> int:
    """The most that any member has stored otherwise: no single one is believed that nothing is left."""
    return max(context.executor.secrets_at_rest(member, key).others for member in context.inventory.etcd)


DECIDE_ENCRYPTION = deciding("encryption", PLAN)
ROTATE_ENCRYPTION = Phase(
    "Rotate the key of Secrets at rest", (), rotate_encryption, when=lambda context: context.result.changed
)
