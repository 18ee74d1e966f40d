"""The keys by which hosts are known: what OpenSSH reports about them, and where it keeps them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from haplane.config.model import Ssh
from haplane.remote.target import configured

LOGGED = ("LogLevel=INFO", "LogVerbose=sshconnect.c:verify_host_key():*")
"""What ssh logs: of all that explains a connection, the key alone. More (-v) would have text of the server's in it,
of as many lines as it likes, before its key is known."""
SERVER_KEY = re.compile(
    r"^debug1: (?:sshconnect\.c:verify_host_key\(\)\S* \([^)\n]*\): )?"
    r"Server host (?:key|certificate): \S+ (SHA256:[\w+/]+)(?=[,\s]|$)",
    re.M,
)
KEY_CHANGED = "REMOTE HOST IDENTIFICATION HAS CHANGED"
FIRST_CONTACT = ("Warning: Permanently added ", "Failed to add the host to the list of known hosts ")
"""The second where the file cannot be written: then every contact is the first one."""

_keys: dict[str, str] = {}
"""The fingerprint that a host's key had on its first connection of this run, by its name in known_hosts."""


def fingerprint(text: str) -> str:
    """Of the key in ssh's log, as ssh-keygen prints it."""
    found = SERVER_KEY.search(text)  # the first: a certificate has words of its own after its key
    return found[1] if found else ""


def is_first_contact(text: str) -> bool:
    """Whether no known_hosts file had the key, by ssh's log."""
    return any(line.startswith(FIRST_CONTACT) for line in text.splitlines())


def is_another(ssh: Ssh, found: str) -> bool:
    """Whether the host had another key earlier in this run, whatever known_hosts holds."""
    return _keys.setdefault(f"{ssh.hostname}:{ssh.port}", found) != found


def change(ssh: Ssh) -> str:
    """What a changed key means, and what to do about it."""
    name, file = known_as(ssh)
    return (
        f"its host key has changed: another host may respond at its address. "
        f"If it was reinstalled: `{shlex.join(('ssh-keygen', '-R', name, '-f', file))}`"
    )


def known_as(ssh: Ssh) -> tuple[str, str]:
    """The host's name in known_hosts, with its port where that is not 22, and the file that a new key goes to."""
    found = configured(ssh)
    name = found.get("hostkeyalias") or found.get("hostname", ssh.hostname)
    port = found.get("port", "22")
    files = ssh.known_hosts_file or found.get("userknownhostsfile", "~/.ssh/known_hosts").split()[0]
    known = name if "hostkeyalias" in found or port == "22" else f"[{name}]:{port}"
    return known, str(Path(files).expanduser())
