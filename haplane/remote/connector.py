"""pyinfra's SSH connector, with one connection per host for the whole command instead of one per State.

A run has a dozen phases and each builds its own State; a handshake costs more than most of what is sent over it.
Registered as pyinfra's connector ``haplane`` in pyproject.toml.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
from gevent import Greenlet
from paramiko import SSHException
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.sshuserclient import SSHClient

from haplane.config.model import Host
from haplane.remote.answers import bounded

ALIVE_SECONDS = 3
SUDO_SECONDS = 10
GONE = "it answers no more"

_clients: dict[tuple[object, ...], SSHClient] = {}
_gone: set[tuple[object, ...]] = set()
_dials: dict[Greenlet[[], None], tuple[object, ...]] = {}


class ReusingConnector(SSHConnector):
    """Connects once; a connection that no longer answers is replaced.

    ``first_contact`` is the fingerprint of a host key that was in no known_hosts file before this connection.
    """

    first_contact: str | None = None
    _met = False

    @staticmethod
    def make_names_data(name: str) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        yield name, {"ssh_hostname": name}, []

    def connect(self) -> None:
        known = _clients.get(self._identity())
        if known is not None and _answers(known):
            self.client = known
            return
        self._met = known is not None
        self._dial()
        if self.client is not None:
            self.first_contact = _unknown_key(self.client)
            self.client.exec_command = bounded(self.client.exec_command)  # type: ignore[method-assign]
            if self.host.data.get("_sudo"):
                _refuse_a_password(self.client, self.data["ssh_user"])
            _clients[self._identity()] = self.client

    def _dial(self) -> None:
        """Connect, which :func:`hang_up` ends: a host that is gone is not waited for."""
        if self._identity()[:3] in _gone:
            raise ConnectError(GONE)
        dial = gevent.spawn(self._connect_anew)
        _dials[dial] = self._identity()[:3]
        try:
            dial.get()
        finally:
            del _dials[dial]

    def _connect_anew(self) -> None:
        try:
            super().connect()
        except (PyinfraError, OSError, SSHException) as error:  # a key file that is not there is none of its own
            raise ConnectError(str(error)) from error

    def make_paramiko_kwargs(self) -> dict[str, Any]:
        """A host that has been reached before takes a connection at once, or is gone."""
        wishes = super().make_paramiko_kwargs()
        return {**wishes, "timeout": ALIVE_SECONDS} if self._met else wishes

    def disconnect(self) -> None:
        """Later phases use the connection again; the end of the process closes it."""

    def _identity(self) -> tuple[object, ...]:
        data = self.data
        address = (data["ssh_hostname"], data["ssh_port"], data["ssh_user"])
        return (*address, data["ssh_key"], data["ssh_config_file"], data["ssh_known_hosts_file"])


def _unknown_key(client: SSHClient) -> str | None:
    """The fingerprint of the other end's key, as ssh-keygen shows it; None when the key was known."""
    transport = client.get_transport()
    if transport is None:
        return None
    key = transport.get_remote_server_key()
    known = {one.asbytes() for host in client.get_host_keys().values() for one in host.values()}
    return None if key.asbytes() in known else str(key.fingerprint)


def hang_up(host: Host) -> None:
    """End the connection to a host that is gone: whoever waits for an answer hears that there will be none.

    Until :func:`dial_again` nobody waits for it to take a connection either.
    """
    ssh = host.ssh
    address = (ssh.hostname, ssh.port, ssh.user)
    _gone.add(address)
    for dial in [dial for dial, dialled in _dials.items() if dialled == address]:
        dial.kill(ConnectError(GONE), block=False)
    for identity, client in list(_clients.items()):
        transport = client.get_transport()
        if identity[:3] == address and transport is not None:
            transport.close()  # not the client: pyinfra may ask it for a session yet, and is told that there is none


def answers_no_more(host: Host) -> bool:
    """Whether it was hung up on."""
    return (host.ssh.hostname, host.ssh.port, host.ssh.user) in _gone


def dial_again() -> None:
    """Hosts that were gone may be back."""
    _gone.clear()


def _answers(client: SSHClient) -> bool:
    """Whether the other end opens a channel: one round trip, and a deadline where it lost power."""
    transport = client.get_transport()
    if transport is None or not transport.is_active():
        return False
    try:
        transport.open_session(timeout=ALIVE_SECONDS).close()
    except (SSHException, EOFError, OSError):
        transport.close()
        return False
    return True


def _refuse_a_password(client: SSHClient, user: str) -> None:
    """Raises ConnectError where pyinfra would ask for sudo's password and put it on the host's command lines."""
    _, _, stderr = client.exec_command("sudo -n true", timeout=SUDO_SECONDS)
    said = " ".join(line.strip() for line in stderr)
    if stderr.channel.recv_exit_status() != 0:
        raise ConnectError(
            f"sudo does not work without a password ({said}): "
            f"put `{user} ALL=(ALL) NOPASSWD: ALL` into /etc/sudoers.d/haplane on that host"
        )
