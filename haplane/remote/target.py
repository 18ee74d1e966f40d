"""How ssh reaches a host of the inventory: the words of its command line."""

from __future__ import annotations

import os
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from pwd import getpwuid
from tempfile import NamedTemporaryFile

from haplane.config.model import Host, Ssh
from haplane.ssh import ALIVE, ssh_words
from haplane.streams import capture

FAST = "aes128-gcm@openssh.com"
"""In hardware, where the default cipher is not: a bootstrap is mostly transfer."""
UNDISTURBED = {"stdinnull": "no", "sessiontype": "default", "forkafterauthentication": "no"}
"""What a command and its input need, where ssh_config has anything else: ssh before 8.7 knows none of these."""
CONFIGURED_SECONDS = 20
ROOT = "root"
NOBODY = "haplane-nobody"
"""Whom no ssh_config names."""
OF_SSH = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "KRB5CCNAME"})
"""Variables that ssh itself may need; they hold names and paths."""
SYSTEM_CONFIGURATION = Path("/etc/ssh/ssh_config")
SSH_PORT = 22
MOST = 1 << 20


def session(host: Host) -> list[str]:
    """The first words of an argv that runs something on the host: ssh, without the variables that it would send.

    ssh_config adds to SendEnv whatever the options say. What only makes a connection sends none.
    """
    sent = (name for name in sorted(os.environ) if any(fnmatchcase(name, one) for one in _sent(host.ssh)))
    kept_back = [word for name in sent if name not in OF_SSH for word in ("-u", name)]
    return [*(("env", *kept_back) if kept_back else ()), "ssh"]


def options(host: Host, alive: tuple[int, int] = ALIVE) -> list[str]:
    """How ssh is to reach the host."""
    ssh = host.ssh
    words = ssh_words(
        host_key_checking=ssh.strict_host_key_checking,
        known_hosts=ssh.known_hosts_file,
        config=ssh.config_file,
        key=ssh.key,
        alive=alive,
    )
    found = configured(ssh)
    changed = [f"{name}={value}" for name, value in UNDISTURBED.items() if found.get(name, value) != value]
    ciphers = found.get("ciphers", "").split(",")
    if FAST in ciphers:
        changed.append(f"Ciphers={','.join(dict.fromkeys((FAST, *ciphers)))}")
    return [*words, *(word for option in changed for word in ("-o", option))]


def target(ssh: Ssh) -> list[str]:
    """The last words before a command: port and user where they are not ssh_config's, and the host."""
    port = ["-p", str(ssh.port)] if ssh.port is not None else []
    return [*port, "-l", login(ssh), "--", ssh.hostname]


def port_of(ssh: Ssh) -> int:
    """Where sshd listens."""
    return ssh.port if ssh.port is not None else int(configured(ssh).get("port", SSH_PORT))


@cache
def login(ssh: Ssh) -> str:
    """The user to log in as: the inventory's, or ssh_config's, or root."""
    if ssh.user is not None:
        return ssh.user
    found = configured(ssh).get("user", ROOT)
    return found if found == ROOT or _is_configured(ssh) else ROOT


def _is_configured(ssh: Ssh) -> bool:
    """Whether ssh's user is ssh_config's, and not its default, the name that we have here: it does not say which.

    So it is asked with one more setting behind all others, of which the first counts.
    """
    with NamedTemporaryFile() as configuration:
        for path in _configurations(ssh):
            with suppress(OSError):
                configuration.write(path.read_bytes() + b"\nMatch all\n")
        configuration.write(f"Match final\nUser {NOBODY}\n".encode())
        configuration.flush()
        return _asked(ssh, configuration.name).get("user") != NOBODY


def _configurations(ssh: Ssh) -> list[Path]:
    """What ssh reads, in its order."""
    if ssh.config_file:
        return [Path(ssh.config_file)]
    return [Path(getpwuid(os.getuid()).pw_dir) / ".ssh/config", SYSTEM_CONFIGURATION]


def configured(ssh: Ssh) -> dict[str, str]:
    """What ssh's configuration makes of the host, by lower-case keyword; empty where ssh does not take it."""
    return _asked(ssh, ssh.config_file)


def _sent(ssh: Ssh) -> tuple[str, ...]:
    """Patterns of variables' names."""
    return tuple(value for name, value in _lines(ssh, ssh.config_file) if name == "sendenv")


def _asked(ssh: Ssh, configuration: str | None) -> dict[str, str]:
    return dict(_lines(ssh, configuration))


@cache
def _lines(ssh: Ssh, configuration: str | None) -> tuple[tuple[str, str], ...]:
    """Keywords and values, in ssh's order."""
    words = [*(("-F", configuration) if configuration else ()), *(("-p", str(ssh.port)) if ssh.port else ())]
    # With a command, as we always have one: ssh takes some settings with or without it only.
    asked = ["ssh", "-G", *words, "-o", "RemoteCommand=none", "--", ssh.hostname, "true"]
    try:
        done = capture(asked, b"", deadline_seconds=CONFIGURED_SECONDS, most=MOST)
    except TimeoutError:
        return ()
    lines = done.stdout.decode(errors="replace").splitlines() if done.code == 0 and done.cut is None else []
    return tuple((name, value) for name, _, value in (line.partition(" ") for line in lines))
