"""Whatever `ssh HOST true` takes works: aliases, agents, certificates, few sessions, few connections, odd logins."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from haplane.config.model import Host
from haplane.remote import connection, openssh
from haplane.remote.ssh_failures import own_words
from haplane.streams import capture

from .test_host_keys import Sshd, host, keys, sshd  # noqa: F401 - fixtures

GREETING = "echo Welcome to this host; echo and mind the step"


@pytest.fixture(autouse=True)
def _afresh():
    yield
    connection.close_all()


def add(daemon: Sshd, lines: str) -> None:
    """More lines for its configuration, which then takes effect."""
    whole = daemon.command("one")
    path = daemon.directory / "one.conf"
    path.write_text(f"{path.read_text()}LogLevel VERBOSE\n{lines}\n")
    subprocess.run(["sh", "-c", whole.replace("sshd -f ", f"sshd -E {daemon.directory}/log -f ")], check=True)


def accepted(daemon: Sshd) -> int:
    """How many connections it took."""
    return (daemon.directory / "log").read_text().count("Accepted publickey")


def altered(one: Host, **ssh: object) -> Host:
    return one.model_copy(update={"ssh": one.ssh.model_copy(update=ssh)})


def works(run: Callable[..., dict[str, Any]], one: Host) -> None:
    """Over pyinfra as over OpenSSH."""
    assert openssh.run(one, "echo", "hello") == b"hello\n"
    assert run("gather", hosts=(one,))["values"] == {"m1": ["/etc/passwd"]}


@pytest.mark.parametrize("alias", ["Prod_Master1", "dc1/m1", "m1#a"])
def test_an_alias_of_ssh_config_gives_host_port_user_and_key(sshd, keys, run, tmp_path, alias):  # noqa: F811
    daemon = sshd("one")
    (tmp_path / "config").write_text(
        f"Host {alias}\n HostName 127.0.0.1\n Port {daemon.port}\n User root\n IdentityFile {keys}/user\n"
    )
    reached = host("m1", daemon, tmp_path / "known", config_file=str(tmp_path / "config"))
    works(run, altered(reached, hostname=alias, port=None, key=None))


def test_an_ipv6_address(sshd, run, tmp_path):  # noqa: F811
    daemon = sshd("one")
    add(daemon, "ListenAddress ::1")
    works(run, host("m1", daemon, tmp_path / "known", hostname="::1"))


def test_an_encrypted_key_through_the_agent(sshd, keys, tmp_path, monkeypatch):  # noqa: F811
    daemon, socket, ask = sshd("one"), tmp_path / "agent", tmp_path / "ask"
    (tmp_path / "key").write_bytes((keys / "user").read_bytes())
    (tmp_path / "key").chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "open sesame", "-f", tmp_path / "key"], check=True)
    ask.write_text("#!/bin/sh\necho open sesame\n")
    ask.chmod(0o755)
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL) as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        environment = os.environ | {"SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
        subprocess.run(["sh", "-c", f"until [ -S {socket} ]; do sleep 0.05; done"], check=True, timeout=20)
        subprocess.run(["ssh-add", "-q", tmp_path / "key"], env=environment, check=True, stdin=subprocess.DEVNULL)
        one = host("m1", daemon, tmp_path / "known", key=str(tmp_path / "key"))
        assert openssh.run(one, "echo", "hello") == b"hello\n"
        agent.kill()


def test_a_host_with_a_certificate_is_known_by_its_authority(sshd, keys, run, tmp_path):  # noqa: F811
    daemon = sshd("one")
    (tmp_path / "one.pub").write_bytes((keys / "one.pub").read_bytes())
    sign = ["ssh-keygen", "-q", "-s", keys / "third", "-h", "-I", "m1", "-n", "127.0.0.1", tmp_path / "one.pub"]
    subprocess.run(sign, check=True)
    add(daemon, f"HostCertificate {tmp_path}/one-cert.pub")
    public = " ".join((keys / "third.pub").read_text().split()[:2])
    (tmp_path / "known").write_text(f"@cert-authority [127.0.0.1]:{daemon.port} {public}\n")
    one = host("m1", daemon, tmp_path / "known", strict_host_key_checking="yes")
    works(run, one)
    assert run("gather", hosts=(one,))["first_contacts"] == {}


def test_a_user_with_a_certificate(sshd, keys, run, tmp_path):  # noqa: F811
    daemon = sshd("one")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "me"], check=True)
    sign = ["ssh-keygen", "-q", "-s", keys / "third", "-I", "me", "-n", "root", tmp_path / "me.pub"]
    subprocess.run(sign, check=True)
    add(daemon, f"TrustedUserCAKeys {keys}/third.pub")
    works(run, host("m1", daemon, tmp_path / "known", key=str(tmp_path / "me")))


def test_one_session_for_each_connection_is_enough(sshd, tmp_path):  # noqa: F811
    daemon = sshd("one")
    add(daemon, "MaxSessions 1")
    one = host("m1", daemon, tmp_path / "known")
    assert openssh.run(one, "echo", "hello") == b"hello\n"
    with subprocess.Popen(openssh.ssh_command(one, "sleep", "60"), stdin=subprocess.PIPE) as busy:
        done = openssh.attempt(one, "sh", "-c", "echo hello; echo why >&2; exit 3")
        assert (done.code, done.stdout, own_words(done.stderr.decode())) == (3, b"hello\n", "why")
        busy.kill()


def test_many_commands_are_one_connection(sshd, tmp_path):  # noqa: F811
    """`ufw limit ssh` takes five in half a minute."""
    daemon = sshd("one")
    add(daemon, "")
    one = host("m1", daemon, tmp_path / "known")
    for _ in range(5):
        openssh.run(one, "true")
    assert accepted(daemon) == 1


def test_the_users_own_sharing_of_connections_is_left_out(sshd, tmp_path):  # noqa: F811
    """ControlPersist would take the connection into the background, out of our reach."""
    daemon = sshd("one")
    add(daemon, "")
    theirs = tmp_path / "theirs"
    lines = ["Host *", "ControlMaster auto", f"ControlPath {theirs}", "ControlPersist 60"]
    (tmp_path / "config").write_text("\n".join(lines))
    one = host("m1", daemon, tmp_path / "known", config_file=str(tmp_path / "config"))
    for _ in range(3):
        openssh.run(one, "true")
    assert accepted(daemon) == 1
    assert not connection.has_ended(one)
    assert not theirs.exists()
    connection.close_all()
    openssh.ssh_command(one, "true")
    assert subprocess.run(["pgrep", "-f", f"ControlPath={theirs}"], check=False).returncode != 0


@pytest.mark.parametrize("line", ["StdinNull yes", "SessionType none", "ForkAfterAuthentication yes"])
def test_what_would_take_a_commands_input_or_process_away_is_not_for_ours(sshd, tmp_path, line):  # noqa: F811
    """A stream to a host would silently be empty, and the lock's holder no command or no child of ours."""
    daemon = sshd("one")
    (tmp_path / "config").write_text(f"Host *\n {line}\n")
    one = host("m1", daemon, tmp_path / "known", config_file=str(tmp_path / "config"))
    connection.connect(one)
    for apart in (False, True):
        words = openssh.ssh_command(one, "sh", "-c", "sleep 0.3; cat; exit 3", apart=apart)
        done = capture(words, b"hello", deadline_seconds=30, marked=True)
        assert (done.stdout, done.code) == (b"hello", 3)


def test_ciphers_of_ssh_config_are_kept(sshd, run, tmp_path):  # noqa: F811
    """Of an old host that takes no others, or of a policy."""
    daemon = sshd("one")
    add(daemon, "Ciphers aes128-cbc")
    (tmp_path / "config").write_text("Host *\n Ciphers aes128-cbc\n")
    works(run, host("m1", daemon, tmp_path / "known", config_file=str(tmp_path / "config")))


@pytest.mark.parametrize("name", ["a space", "100%d", "${HOME}"])
def test_where_temporary_files_are_is_no_matter_to_ssh(sshd, tmp_path, monkeypatch, name):  # noqa: F811
    """It has a syntax of its own for the paths of sockets."""
    with tempfile.TemporaryDirectory(suffix=name) as place:
        monkeypatch.setenv("XDG_RUNTIME_DIR", place)
        connection._directory.cache_clear()
        assert openssh.run(host("m1", sshd("one"), tmp_path / "known"), "echo", "hello") == b"hello\n"
    connection._directory.cache_clear()


def test_whoever_is_turned_away_comes_again(sshd, tmp_path):  # noqa: F811
    """MaxStartups: many hosts behind one jump host are many connections that have not authenticated yet."""
    daemon = sshd("one")
    add(daemon, "MaxStartups 1:100:1")
    with socket.create_connection(("127.0.0.1", daemon.port)) as another:
        another.recv(100)
        threading.Timer(0.4, another.close).start()
        assert openssh.run(host("m1", daemon, tmp_path / "known"), "echo", "hello") == b"hello\n"


@pytest.mark.parametrize("greeting", [GREETING, "printf 'no line break'", "seq 20000", "echo oops >&2"])
def test_what_a_login_shell_prints_is_no_answer(sshd, run, tmp_path, greeting):  # noqa: F811
    daemon = sshd("one")
    (daemon.directory / ".bashrc").write_text(f"{greeting}\n")
    one = host("m1", daemon, tmp_path / "known")
    assert openssh.run(one, "cat", stdin=b"\x00\xff") == b"\x00\xff"
    assert openssh.run(one, "cat", "/etc/hostname") == Path("/etc/hostname").read_bytes()
    works(run, one)


def test_sudo_that_wants_a_terminal_gets_one_in_any_language(sshd, run, tmp_path):  # noqa: F811
    daemon, bin_directory = sshd("one"), tmp_path / "bin"
    bin_directory.mkdir()
    (bin_directory / "sudo").write_text(
        "#!/bin/sh\n"
        '[ "$LC_ALL" = C ] || { echo "sudo: Sie müssen ein TTY haben, um sudo zu verwenden" >&2; exit 1; }\n'
        '(: </dev/tty) 2>/dev/null || { echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1; }\n'
        'shift; exec "$@"\n'
    )
    (bin_directory / "sudo").chmod(0o755)
    (daemon.directory / ".bashrc").write_text(f"export PATH={bin_directory}:/usr/bin:/bin\n")
    one = host("m1", daemon, tmp_path / "known", sudo=True)
    every = bytes(range(256)) * 1000
    assert openssh.run(one, "cat", stdin=every) == every
    assert openssh.attempt(one, "sh", "-c", "exit 7").code == 7
    assert run("gather", hosts=(one,))["values"] == {"m1": ["/etc/passwd"]}


def test_a_connection_ends_with_the_process_however_that_ends(sshd, tmp_path):  # noqa: F811
    daemon = sshd("one")
    one = host("m1", daemon, tmp_path / "known")
    made = connection.connect(one)
    assert made.process.stdin is not None
    made.process.stdin.close()  # as the kernel does for a process that was killed
    assert made.process.wait(60) is not None
