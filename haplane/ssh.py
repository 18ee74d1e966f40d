"""The one place that defines how ssh is called, whoever calls it: the lab, the checks, streams, the lock.

The user's ssh_config may say how a host is reached (jump hosts, keys, host names). It may not lend the host anything:
no agent, no display, no credentials, no variable, port or device of this machine, and no command runs here because a
connection was made.
"""

from __future__ import annotations

CONNECT_SECONDS = 10
ALIVE = (5, 3)
"""A host is given up that is silent for so many seconds, so many times."""

COMMAND_SECONDS = 60
"""For a command that reads or writes a little on one host and waits for nothing: a busy host or a slow disk takes
seconds."""

ARCHIVE_SECONDS = 300
"""For an archive of some tens of megabytes to arrive over a slow line and to be unpacked."""

LENDS_NOTHING = ("-a", "-x", "-k", "-T")
OPTIONS = (
    "BatchMode=yes",
    "LogLevel=ERROR",
    "ForwardAgent=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "Tunnel=no",
    "SetEnv=LC_ALL=C",  # the first one counts, so nothing else is set there
    "UpdateHostKeys=no",  # a host has one key in known_hosts, which nobody but the user changes
)


def ssh_words(
    *,
    host_key_checking: str,
    known_hosts: str | None = None,
    config: str | None = None,
    key: str | None = None,
    connect_seconds: int = CONNECT_SECONDS,
    alive: tuple[int, int] = ALIVE,
) -> list[str]:
    """What follows ``ssh`` before the user, port, host and command. All are words of an argv.

    Args:
        host_key_checking: ``yes``, ``accept-new`` or ``no``.
        known_hosts: the one file of known hosts; the user's otherwise.
        config: the ssh_config; the user's otherwise.
        key: the one private key; what ssh finds otherwise.
        connect_seconds: until a host that takes no connection is given up.
        alive: as ALIVE.
    """
    interval, count = alive
    options = [
        *OPTIONS,
        f"ConnectTimeout={connect_seconds}",
        f"ServerAliveInterval={interval}",
        f"ServerAliveCountMax={count}",
        f"StrictHostKeyChecking={host_key_checking}",
    ]
    if known_hosts is not None:
        options.append(f"UserKnownHostsFile={_quoted(known_hosts)}")
    if key is not None:
        options += [f"IdentityFile={_quoted(key)}", "IdentitiesOnly=yes"]
    words = [*LENDS_NOTHING, *(word for option in options for word in ("-o", option))]
    return [*words, "-F", config] if config is not None else words


def _quoted(path: str) -> str:
    """One file to ssh, which takes a space for the end of a name and ``%`` for the beginning of a token."""
    return '"' + path.replace("%", "%%") + '"'
