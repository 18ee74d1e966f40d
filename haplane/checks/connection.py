"""How testinfra reaches a host of the inventory: its OpenSSH backend, so that ssh_config and jump hosts count."""

from __future__ import annotations

import shlex
from typing import cast

import testinfra

from haplane.checks.survey import Connection
from haplane.config.model import Host

CONNECT_SECONDS = 10


def connect(host: Host) -> Connection:
    """A testinfra host; nothing is sent before its first command."""
    ssh = host.ssh
    return cast(
        Connection,
        testinfra.get_host(
            f"ssh://{ssh.user}@{ssh.hostname}:{ssh.port}",
            ssh_config=ssh.config_file,
            ssh_identity_file=ssh.key,
            ssh_extra_args=ssh_arguments(host),
            timeout=CONNECT_SECONDS,
            controlpersist=0,  # one or two commands for each host: sharing a connection would cost more than it saves
            sudo=ssh.sudo,
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
