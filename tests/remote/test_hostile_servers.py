"""SSH servers that write more to our ssh, and sooner, than any sshd does: what is believed and kept of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import paramiko
import pytest
import samples
from paramiko.message import Message

from haplane.config.model import Host
from haplane.remote import connection
from haplane.remote.ssh_failures import NoConnection
from haplane.streams import STDERR_BYTES

FORGED = f"Server host key: ssh-ed25519 SHA256:{'G' * 43}"
DEBUG, BANNER, OPEN_CHANNEL = b"\x04", b"\x35", b"\x5a"


def send(transport: paramiko.Transport, kind: bytes, *parts: str | int | bool) -> None:
    made = Message()
    made.add_byte(kind)
    made.add(*parts)
    with suppress(EOFError):  # the client has hung up
        transport._send_message(made)


class Server(paramiko.ServerInterface):
    """It lets everybody in. ``during`` runs before the key is shown, ``before`` and ``after`` authentication."""

    def __init__(self) -> None:
        self.key = paramiko.ECDSAKey.generate()
        self.during = self.before = self.after = lambda _: None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.threads = threading.Thread(target=self._serve, daemon=True)
        self.threads.start()

    @property
    def fingerprint(self) -> str:
        return str(self.key.fingerprint)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self._greet(client)

    def _greet(self, client: socket.socket) -> None:
        transport = paramiko.Transport(client, strict_kex=False)
        transport.add_server_key(self.key)
        offer = transport._send_kex_init

        def early() -> None:
            offer()
            self.during(transport)

        transport._send_kex_init = early
        self.transport = transport
        transport.start_server(event=threading.Event(), server=self)

    def check_auth_none(self, username: str) -> int:
        self.before(self.transport)
        threading.Timer(0.2, lambda: self.after(self.transport)).start()
        return paramiko.AUTH_SUCCESSFUL

    def get_allowed_auths(self, username: str) -> str:
        return "none"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(connection, "run_a_first_command", lambda *_: None)
    made = Server()
    yield made
    connection.close_all()
    made.listener.close()


@pytest.fixture
def host(server: Server, tmp_path: Path) -> Host:
    reached = {"hostname": "127.0.0.1", "port": server.listener.getsockname()[1], "config_file": "/dev/null"}
    reached |= {"known_hosts_file": str(tmp_path / "known")}
    found = samples.host("m1", 21)
    return found.model_copy(update={"ssh": found.ssh.model_copy(update=reached)})


def says(text: str) -> Callable[[paramiko.Transport], None]:
    return lambda transport: send(transport, DEBUG, True, text, "")


@pytest.mark.parametrize("when", ["during", "after"])
@pytest.mark.parametrize("text", [FORGED, f"x\ndebug1: {FORGED}\nWarning: Permanently added it\n"])
def test_the_fingerprint_of_a_first_contact_is_that_of_the_key(
    server: Server, host: Host, when: str, text: str
) -> None:
    """ssh -v wrote a server's words among its own, line breaks and all, and the last fingerprint in them counted."""
    setattr(server, when, says(text))
    made = connection.connect(host)
    if when == "after":
        time.sleep(0.4)
    assert connection._first_contact(host.ssh, made) == server.fingerprint


def test_words_of_a_known_host_make_it_no_first_contact(server: Server, host: Host) -> None:
    assert connection.connect(host).first_contact == server.fingerprint
    connection.close_all()
    server.during = says(f"x\ndebug1: {FORGED}\nWarning: Permanently added it\n")
    assert connection.connect(host).first_contact is None


def test_another_key_behind_the_words_of_the_first_is_another(server: Server, host: Host, tmp_path: Path) -> None:
    was = connection.connect(host).first_contact
    connection.close_all()
    (tmp_path / "known").unlink()
    server.key = paramiko.ECDSAKey.generate()
    server.during = server.after = says(f"Server host key: ssh-ed25519 {was}")
    with pytest.raises(NoConnection, match="its host key has changed"):
        connection.connect(host)


def kept(made: connection.Connection) -> int:
    files = [path.stat().st_size for path in made.socket.parent.iterdir() if path.is_file()]
    return len(made.log.so_far()) + len(made.errors.so_far()) + sum(files)


def test_an_idle_connection_keeps_no_flood(server: Server, host: Host) -> None:
    """ssh's log grew by 13 MiB a second in /run, and nobody looked at it until the next command."""
    flooded = threading.Event()

    def flood(transport: paramiko.Transport) -> None:
        for number in range(3000):
            send(transport, DEBUG, True, "x" * 900, "")
            send(transport, OPEN_CHANNEL, "auth-agent@openssh.com", number, 1 << 20, 1 << 15)
        flooded.set()

    server.after = flood
    made = connection.connect(host)
    assert flooded.wait(20)
    time.sleep(0.2)
    assert 0 < kept(made) < 1 << 16


def test_banners_end_the_connection_once_they_are_too_many(server: Server, host: Host) -> None:
    def flood(transport: paramiko.Transport) -> None:
        for _ in range(STDERR_BYTES // 10_000 * 2):
            send(transport, BANNER, "x" * 10_000, "")

    server.before = flood
    with pytest.raises(NoConnection) as refusal:
        connection.connect(host)
    assert len(str(refusal.value)) < 1000
