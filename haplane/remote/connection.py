"""One ssh connection for each host: OpenSSH's own, which commands, files and streams are multiplexed over.

Whatever ``ssh HOST`` takes works: its configuration, agents, certificates, jump hosts. Where a host allows only one
session (MaxSessions 1), ssh opens connections of their own by itself. A connection ends with this process, however
that ends.
"""

from __future__ import annotations

import atexit
import os
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

from haplane.config.model import Host, Ssh
from haplane.remote import host_keys
from haplane.remote.first_command import run_a_first_command
from haplane.remote.ssh_failures import NoConnection, TurnedAway, no_connection, own_words
from haplane.remote.target import options, target
from haplane.scripts import script
from haplane.streams import Tail

AGAIN_SECONDS = 3
"""For a host that was reached before to accept a connection once more."""
ALIVE = (3, 3)
"""A host that does not respond for so many seconds, so many times, is gone: its commands end."""
CONNECT_SECONDS = 45.0
"""For all of it: jump hosts, TCP, key exchange, authentication. Each part has a deadline of its own, but a host that
is late with every one of them must not hold the run up for minutes."""
GONE = "it stopped responding"
TURNED_AWAY_TIMES, TURNED_AWAY_SECONDS = 4, (0.5, 3.0)
"""From ten unauthenticated connections on sshd drops three in ten by default: a host among many behind a jump host
meets that five times in a row once in 400 times."""
POLL_SECONDS = 0.01
SOCKET_DIRECTORY = re.compile(r"[\w./+-]{1,70}", re.ASCII)
"""The kernel takes 107 bytes of a path, of which ssh wants some for itself; %, $, blanks and quotes are ssh's own."""

Identity = tuple[object, ...]


@dataclass
class Connection:
    """A connection under way or made. ``first_contact``: the fingerprint of a key that no known_hosts file had.

    ``log`` is ssh's own; ``errors`` is what it passes on: a server's banner, jump hosts.
    """

    process: subprocess.Popen[bytes]
    socket: Path
    log: Tail
    errors: Tail
    first_contact: str | None = None

    @property
    def alive(self) -> bool:
        """Whether ssh runs and takes sessions."""
        return self.process.poll() is None and self.socket.exists()

    def close(self) -> None:
        """End it, and everything that goes over it."""
        self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.socket.unlink(missing_ok=True)

    def words(self) -> str:
        """What ssh reported, the reason last."""
        texts = [own_words(tail.read().decode(errors="replace")) for tail in (self.errors, self.log)]
        return "\n".join(text for text in texts if text)


_connections: dict[Identity, Connection] = {}
_gone: set[Identity] = set()
_turns: dict[Identity, threading.Lock] = {}
_numbers = count(1)


def identity_of(ssh: Ssh) -> Identity:
    """What makes two hosts' connections the same one."""
    return (ssh.hostname, ssh.port, ssh.user, ssh.key, ssh.config_file, ssh.known_hosts_file)


def connect(host: Host, seconds: float = CONNECT_SECONDS) -> Connection:
    """The host's connection, made within that time unless there is one.

    Raises NoConnection with the reason.
    """
    identity = identity_of(host.ssh)
    if identity in _gone:
        raise NoConnection(GONE)
    with _turns.setdefault(identity, threading.Lock()):
        known = _connections.get(identity)
        if known is not None and known.alive:
            return known
        if known is not None:
            known.close()
        made = _dial_again_when_turned_away(host, seconds, met=known is not None)
        try:
            made.first_contact = _first_contact(host.ssh, made)
            run_a_first_command(host, multiplexed(host))
        except BaseException as error:
            _forget(identity)
            if identity in _gone and isinstance(error, NoConnection):
                raise NoConnection(GONE) from None
            raise
        return made


def multiplexed(host: Host) -> list[str]:
    """The words that make ssh use the host's connection; where there is none, one of its own, never the user's."""
    known = _connections.get(identity_of(host.ssh))
    if known is None or not known.alive:
        return ["-o", "ControlPath=none"]
    return ["-o", "ControlMaster=no", "-o", f"ControlPath={known.socket}"]


def _dial_again_when_turned_away(host: Host, seconds: float, *, met: bool) -> Connection:
    """As :func:`_dial`. The moments differ from host to host, or all would come again at once."""
    for _ in range(TURNED_AWAY_TIMES):
        try:
            return _dial(host, seconds, met=met)
        except TurnedAway:
            time.sleep(random.uniform(*TURNED_AWAY_SECONDS))  # noqa: S311 - no secret
    return _dial(host, seconds, met=met)


def _dial(host: Host, seconds: float, *, met: bool) -> Connection:
    """Raises NoConnection when ssh ends, is late, or the host is found to be gone meanwhile."""
    identity = identity_of(host.ssh)
    deadline = time.monotonic() + seconds
    connection = _connections[identity] = _start(host, met=met)
    try:
        while not connection.socket.exists():
            if identity in _gone:
                raise NoConnection(GONE)
            if connection.process.poll() is not None:
                raise no_connection(host.ssh, connection.words(), connection.process.returncode)
            if time.monotonic() >= deadline:
                raise NoConnection(f"it did not connect within {seconds:g} s")
            time.sleep(POLL_SECONDS)
    except BaseException:
        _forget(identity)
        raise
    return connection


def _start(host: Host, *, met: bool) -> Connection:
    socket = _directory() / str(next(_numbers))
    # ssh takes the first value that it is given: what is ours comes before the shared options.
    ours = ["-E", "/dev/stdout", "-N", "-o", "ControlMaster=yes", "-o", f"ControlPath={socket}"]
    ours += ["-o", "ControlPersist=no"]  # the user's own would make it go to the background, out of our reach
    ours += [word for option in host_keys.LOGGED for word in ("-o", option)]
    patience = ["-o", f"ConnectTimeout={AGAIN_SECONDS}"] if met else []
    ssh = ["ssh", *ours, *patience, *options(host, ALIVE), *target(host.ssh)]
    process = subprocess.Popen(
        ["sh", "-c", script("end_with_input", ssh)],  # which it does when this process ends
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # ^C is for us alone
    )
    return Connection(process, socket, Tail(process, process.stdout), Tail(process))


def _forget(identity: Identity) -> None:
    failed = _connections.pop(identity, None)
    if failed is not None:
        failed.close()


def _first_contact(ssh: Ssh, made: Connection) -> str | None:
    """The fingerprint of a key that no known_hosts file had. Raises NoConnection for another than earlier."""
    text = made.log.so_far().decode(errors="replace")
    if host_keys.is_another(ssh, fingerprint := host_keys.fingerprint(text)):
        raise NoConnection(host_keys.change(ssh))
    return fingerprint if host_keys.is_first_contact(text) else None


def hang_up(host: Host) -> None:
    """Close the connection to a host that is gone, so that nothing waits for its commands to end.

    Until :func:`dial_again` connecting to it fails at once as well.
    """
    identity = identity_of(host.ssh)
    _gone.add(identity)
    if (known := _connections.get(identity)) is not None:
        known.process.kill()


def is_gone(host: Host) -> bool:
    """Whether :func:`hang_up` was called for it."""
    return identity_of(host.ssh) in _gone


def dial_again() -> None:
    """Forget which hosts are gone: they may be back."""
    _gone.clear()


def has_ended(host: Host) -> bool:
    """Whether the connection that a command of the host went over is no more."""
    known = _connections.get(identity_of(host.ssh))
    return is_gone(host) or known is None or not known.alive


@cache
def _directory() -> Path:
    """Private, and with a short name; it is gone when this process has ended."""
    places = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]  # noqa: S108 - mkdtemp is private
    usable = (place for place in places if SOCKET_DIRECTORY.fullmatch(place) and os.access(place, os.W_OK))
    made = Path(tempfile.mkdtemp(prefix="haplane-", dir=next(usable, None)))
    atexit.register(_end, made)
    return made


def _end(directory: Path) -> None:
    close_all()
    shutil.rmtree(directory, ignore_errors=True)


def close_all() -> None:
    """End every connection."""
    for identity in list(_connections):
        _forget(identity)
