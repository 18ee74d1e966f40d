"""ssh's errors about a failed connection, as messages with a next step."""

from __future__ import annotations

from pathlib import Path

from haplane.config.model import Ssh
from haplane.domain import host_paths
from haplane.remote import host_keys
from haplane.streams import shortened

TURNED_AWAY = "kex_exchange_identification: "
FORWARDING_FAILED = "forwarding failed"
"""The jump host works and does not reach the host, which is the same ssh's next line."""
NOISE = ("debug1:", "OpenSSH_", "mux_client_request_session:", "ControlSocket ", "Session open refused", "@@@@@")


CAME_BACK = "it responds again, but does not hold this run's lock: run again"


def of_the_shell(reason: str) -> str:
    """The reason, or what it means where a host lacks the shell that commands of a run go through (lock.py)."""
    return CAME_BACK if f"cannot open {host_paths.LOCKS}/run-" in reason else reason


class NoConnection(Exception):
    """Why there is no connection, in a sentence."""


class TurnedAway(NoConnection):
    """sshd, of the host or of the jump host, took no more connections that have not authenticated (MaxStartups)."""


def no_connection(ssh: Ssh, text: str, code: int | None) -> NoConnection:
    """Why ssh, which ended with that code after it had written this, made no connection."""
    if host_keys.KEY_CHANGED in text:
        return NoConnection(host_keys.change(ssh))
    lines = [
        line.strip() for line in text.splitlines() if line.strip() and not line.startswith(host_keys.FIRST_CONTACT)
    ]
    reason = shortened("; ".join(lines[-2:])) or f"ssh ended with {code}"
    if TURNED_AWAY in text and FORWARDING_FAILED not in text:
        return TurnedAway(reason)
    if "Permission denied" in reason:
        missing = ssh.key is not None and not Path(ssh.key).exists()
        reason = f"authentication failed ({f'there is no key {ssh.key}' if missing else 'no key fits'}): {reason}"
    return NoConnection(reason)


def own_words(text: str) -> str:
    """What ssh and the command wrote, without what ssh writes about connections that it shares."""
    return "\n".join(line for line in text.splitlines() if not line.startswith(NOISE))
