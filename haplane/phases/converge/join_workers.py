"""Workers join with stock kubeadm; the token travels in a file that only root reads and that is gone afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys.recipes import join_worker
from haplane.desired.files import join_configuration
from haplane.domain.plan import Kind
from haplane.errors import HaplaneError
from haplane.procedures.pushes import wait_for_images
from haplane.scripts import script

JOIN_COMMAND = re.compile(
    r"kubeadm join \S+ --token (?P<token>[a-z0-9]{6}\.[a-z0-9]{16}) "
    r"--discovery-token-ca-cert-hash (?P<hash>sha256:[0-9a-f]{64})"
)

TOKEN_SECONDS = 90
"""Some requests of 20 s, and kubeadm's own."""


@dataclass(frozen=True)
class TokenPurpose:
    """What a bootstrap token is for: its description in the cluster, and how long it lives, in Go's words."""

    description: str
    lifetime: str


FOR_WORKERS = TokenPurpose("haplane: workers that are joining", "30m")
PRINTED = TokenPurpose("haplane: the join command that up printed", "24h")


def join_workers(context: Context) -> None:
    """All of them at once, each with the same token, which is deleted however the joins end.

    A token that could not be deleted becomes a warning.
    """
    hosts = context.hosts(Kind.JOIN)
    wait_for_images(context, hosts)
    command = new_join_command(context, FOR_WORKERS)
    config_of = {
        host.name: join_configuration(context.inventory, host, command["token"], command["hash"]) for host in hosts
    }
    try:
        context.deploy(hosts, join_worker, config_of=config_of)
    finally:
        _delete_token(context, command["token"])


def print_join_command(context: Context) -> None:
    """For the summary: what a further worker runs in the next 24 hours. A master's words are no part of it."""
    made = new_join_command(context, PRINTED)
    context.result.join_command = (
        f"kubeadm join {context.inventory.cluster.endpoint} --token {made['token']} "
        f"--discovery-token-ca-cert-hash {made['hash']}"
    )


def new_join_command(context: Context, purpose: TokenPurpose) -> re.Match[str]:
    """A bootstrap token made by any master, in place of all others that haplane made for the same purpose.

    Raises HaplaneError when kubeadm gives no join command, and as :meth:`haplane.executor.Executor.run` does.
    """
    master = context.some_master()
    making = script("new_join_command", description=purpose.description, lifetime=purpose.lifetime)
    output = context.executor.run(master, "sh", "-c", making, deadline_seconds=TOKEN_SECONDS)
    command = JOIN_COMMAND.search(output.decode(errors="replace"))
    if command is None:
        raise HaplaneError(
            "kubeadm printed no join command",
            where=f"{master.name}: kubeadm token create --print-join-command",
            next_step="run that command on the master to see its error",
        )
    return command


def _delete_token(context: Context, token: str) -> None:
    identifier = token.partition(".")[0]
    where = "any master"
    try:
        master = context.some_master()
        where = master.name
        context.executor.run(master, "kubeadm", "token", "delete", identifier)
    except HaplaneError as error:
        context.result.warnings.append(
            f"{where}: the workers' bootstrap token {identifier} could not be deleted ({error.why or error.what}); "
            f"it is valid for {FOR_WORKERS.lifetime}; delete it there: kubeadm token delete {identifier}"
        )


JOIN_WORKERS = Phase("Join workers", (Kind.JOIN,), join_workers)
PRINT_JOIN_COMMAND = Phase(
    "Make a join command for further workers", (), print_join_command, also_after=(Kind.CLUSTER,)
)
