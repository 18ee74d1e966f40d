"""How testinfra reaches a host of the inventory: its OpenSSH backend, so that ssh_config and jump hosts count."""

from __future__ import annotations

import shlex
from typing import cast

import testinfra.host
from testinfra.backend.base import CommandResult
from testinfra.backend.ssh import SshBackend

from haplane.checks.survey import CannotAnswer, Connection
from haplane.config.model import Host
from haplane.remote.answers import ask

CONNECT_SECONDS = 10
ANSWER_SECONDS = 90
"""The scripts on hosts end by themselves before that."""


class BoundedSsh(SshBackend):  # type: ignore[misc]  # testinfra is not typed
    """testinfra's backend, but a host cannot make us wait or swell without end."""

    def run_local(self, command: str, *args: str) -> CommandResult:
        """Raises CannotAnswer when it is too late or too long."""
        quoted = self.quote(command, *args)
        try:
            said = ask(["sh", "-c", quoted], b"", deadline_seconds=ANSWER_SECONDS)
        except TimeoutError:
            raise CannotAnswer(f"it did not answer within {ANSWER_SECONDS} s") from None
        if said.cut is not None:
            raise CannotAnswer(said.cut)
        return self.result(said.code, self.encode(quoted), said.stdout, said.stderr)


def connect(host: Host) -> Connection:
    """A testinfra host; nothing is sent before its first command."""
    ssh = host.ssh
    return cast(
        Connection,
        testinfra.host.Host(
            BoundedSsh(
                f"{ssh.user}@{ssh.hostname}:{ssh.port}",
                ssh_config=ssh.config_file,
                ssh_identity_file=ssh.key,
                ssh_extra_args=ssh_arguments(host),
                timeout=CONNECT_SECONDS,
                controlpersist=0,  # one or two commands for each: sharing a connection would cost more than it saves
                sudo=ssh.sudo,
            )
        ),
    )


def ssh_arguments(host: Host) -> str:
    """Options of ssh, quoted for a shell: never ask for anything, notice a dead peer in 15 s."""
    options = [
        "BatchMode=yes",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=3",
        "LogLevel=ERROR",
        f"StrictHostKeyChecking={host.ssh.strict_host_key_checking}",
    ]
    if host.ssh.known_hosts_file is not None:
        options.append(f'UserKnownHostsFile="{host.ssh.known_hosts_file}"')
    return " ".join(f"-o {shlex.quote(option)}" for option in options)
