"""Workers join with stock kubeadm; the token travels in a file that only root reads and that is gone afterwards."""

from __future__ import annotations

import re

from haplane.deploys.recipes import join_worker
from haplane.desired.files import join_configuration
from haplane.domain.plan import Kind
from haplane.errors import HaplaneError
from haplane.phases.phase import Phase, Run
from haplane.phases.push_bundle import wait_for_images
from haplane.remote import openssh
from haplane.remote.session import deploy

JOIN_COMMAND = re.compile(
    r"kubeadm join (?P<endpoint>\S+) --token (?P<token>[a-z0-9]{6}\.[a-z0-9]{16}) "
    r"--discovery-token-ca-cert-hash (?P<hash>sha256:[0-9a-f]{64})"
)


def join_workers(run: Run) -> None:
    """All of them at once, each with the same short-lived token."""
    hosts = run.hosts(Kind.JOIN)
    wait_for_images(run, hosts)
    command = new_join_command(run, lifetime="30m")
    config_of = {
        host.name: join_configuration(run.inventory, host, command["token"], command["hash"]) for host in hosts
    }
    deploy(hosts, join_worker, run.progress, config_of=config_of)


def print_join_command(run: Run) -> None:
    """For the summary: what a further worker runs in the next 24 hours."""
    run.join_command = new_join_command(run, lifetime="24h").group(0)


def new_join_command(run: Run, *, lifetime: str) -> re.Match[str]:
    """A bootstrap token made by any master, in kubeadm's own words. Raises HaplaneError when they are others."""
    master = run.some_master()
    said = openssh.run(master, "kubeadm", "token", "create", "--ttl", lifetime, "--print-join-command")
    command = JOIN_COMMAND.search(said.decode(errors="replace"))
    if command is None:
        raise HaplaneError(
            "kubeadm gave no join command",
            where=f"{master.name}: kubeadm token create --print-join-command",
            next_step="run that on the master and see what it says",
        )
    return command


JOIN_WORKERS = Phase("Join workers", (Kind.JOIN,), join_workers)
PRINT_JOIN_COMMAND = Phase(
    "Make a join command for further workers", (), print_join_command, also_after=(Kind.CLUSTER,)
)
