"""The lab's SSH keys: one that hosts accept, one that hosts show, and the known_hosts file that makes it strict."""

from __future__ import annotations

import shlex
from pathlib import Path

from haplane.lab import paths
from haplane.lab.command import exclusive, run
from haplane.lab.plan import LabHost, Plan
from haplane.private import make_private, refuse_shared
from haplane.ssh import ssh_words

CONNECT_SECONDS = 3


def ensure_identity(plan: Plan) -> None:
    """Make both keys unless they are there, and enter the lab's hosts in known_hosts."""
    make_private(paths.state_directory())
    paths.state_directory().chmod(0o700)
    refuse_shared(paths.state_directory())
    with exclusive(paths.state_directory() / "lock", seconds=30, what="writing the lab's SSH keys"):
        for key, comment in ((paths.client_key(), "haplane lab"), (paths.host_key(), "haplane lab host")):
            if not key.exists():
                run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", key)
        _write_known_hosts(plan)


def _write_known_hosts(plan: Plan) -> None:
    algorithm, key = public_half(paths.host_key()).split()[:2]
    path = paths.known_hosts()
    known = set(path.read_text().splitlines()) if path.exists() else set()
    # Names are written out because paramiko, unlike OpenSSH, knows no patterns here.
    wanted = known | {f"{host.name},{host.address} {algorithm} {key}" for host in plan.hosts}
    if wanted != known:
        temporary = path.with_suffix(".new")
        temporary.write_text("".join(f"{line}\n" for line in sorted(wanted)))
        temporary.rename(path)


def public_half(key: Path) -> str:
    """The one line of the key's ``.pub`` file."""
    return key.with_name(f"{key.name}.pub").read_text().strip()


def ssh_command(
    host: LabHost, *command: str, user: str = "root", connect_seconds: int = CONNECT_SECONDS
) -> list[str]:
    """The words that run a command on a lab host, strictly checked and never asking."""
    words = ssh_words(
        host_key_checking="yes",
        known_hosts=str(paths.known_hosts()),
        config="/dev/null",
        key=str(paths.client_key()),
        connect_seconds=connect_seconds,
    )
    return ["ssh", *words, "-l", user, "--", str(host.address), *command]


def login_command(host: LabHost) -> str:
    """The same for a shell, short enough to be typed."""
    known = f'UserKnownHostsFile="{paths.known_hosts()}"'
    return shlex.join(["ssh", "-F/dev/null", "-i", str(paths.client_key()), "-o", known, f"root@{host.address}"])
