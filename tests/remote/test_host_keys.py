"""Host keys that change, are another host's, or lie in a file with a space in its name; with real sshds."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import samples
from ports import free_port

from haplane.config.model import Host
from haplane.errors import Unreachable
from haplane.remote import connection, openssh

CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {key}
AuthorizedKeysFile {user}.pub
PidFile {directory}/pid
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
SetEnv HOME={directory}
"""


class Sshd:
    """One at a fixed port that can come back with another key."""

    def __init__(self, directory: Path, keys: Path) -> None:
        self.directory, self.keys = directory, keys
        directory.mkdir()
        self.port = free_port()

    def command(self, key: str) -> str:
        """A shell's, that ends the one that runs and starts one with this key."""
        config = self.directory / f"{key}.conf"
        config.write_text(
            CONFIG.format(port=self.port, key=self.keys / key, user=self.keys / "user", directory=self.directory)
        )
        pid = self.directory / "pid"
        wait = f"for i in $(seq 100); do [ -e {pid} ] && exit 0; sleep 0.05; done; exit 1"
        return (
            f"[ ! -e {pid} ] || kill $(cat {pid}); sleep 0.3; rm -f {pid}; {shutil.which('sshd')} -f {config}; {wait}"
        )

    def start(self, key: str) -> None:
        subprocess.run(["sh", "-c", self.command(key)], check=True)

    def stop(self) -> None:
        subprocess.run(["sh", "-c", f"kill $(cat {self.directory}/pid)"], check=False)


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> Path:
    if os.getuid() != 0 or shutil.which("sshd") is None:
        pytest.skip("needs root and sshd")
    Path("/run/sshd").mkdir(exist_ok=True)
    directory = tmp_path_factory.mktemp("keys")
    for name, kind in (("user", "ed25519"), ("one", "ed25519"), ("other", "ed25519"), ("third", "ecdsa")):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", directory / name], check=True)
    return directory


@pytest.fixture
def sshd(keys, tmp_path) -> Iterator[Callable[[str], Sshd]]:
    started = []

    def start(key: str) -> Sshd:
        started.append(Sshd(tmp_path / f"sshd{len(started)}", keys))
        started[-1].start(key)
        return started[-1]

    yield start
    for one in started:
        one.stop()


def host(name: str, daemon: Sshd, known_hosts: Path, **ssh: object) -> Host:
    reached = {"hostname": "127.0.0.1", "port": daemon.port, "key": str(daemon.keys / "user")}
    reached |= {"known_hosts_file": str(known_hosts), "config_file": "/dev/null", **ssh}
    return samples.host(name, 21).model_copy(update={"ssh": samples.host(name, 21).ssh.model_copy(update=reached)})


def fingerprint(keys: Path, name: str) -> str:
    shown = subprocess.run(["ssh-keygen", "-lf", keys / f"{name}.pub"], capture_output=True, text=True, check=True)
    return shown.stdout.split()[1]


@pytest.mark.parametrize("remembered", [True, False])
def test_a_key_that_changes_within_a_run_is_refused(sshd, keys, run, tmp_path, remembered):
    """It was accepted as a first contact, and known_hosts had both from then on."""
    known = tmp_path / "known" if remembered else Path("/dev/null")
    daemon = sshd("one")
    if remembered:
        known.touch()
    said = run("reconnect", daemon.command("other"), hosts=(host("m1", daemon, known),))
    assert said["before"]["first"] == {"m1": fingerprint(keys, "one")}
    assert said["after"]["values"] == {}
    assert "its host key has changed" in said["after"]["failed"]["m1"]
    assert f"ssh-keygen -R '[127.0.0.1]:{daemon.port}'" in said["after"]["failed"]["m1"]
    if remembered:
        assert len(known.read_text().splitlines()) == 1


def test_where_no_key_can_be_kept_every_contact_is_the_first(sshd, keys, run):
    """Its key was trusted anew in every run, and nobody was told."""
    one = host("m1", sshd("one"), Path("/proc/known_hosts"))
    for _ in range(2):
        assert run("gather", hosts=(one,))["first_contacts"] == {"m1": fingerprint(keys, "one")}


def test_a_host_that_comes_back_with_its_key_is_no_first_contact_again(sshd, run, tmp_path):
    daemon = sshd("one")
    (tmp_path / "known").touch()
    said = run("reconnect", daemon.command("one"), hosts=(host("m1", daemon, tmp_path / "known"),))
    assert (said["after"]["values"], said["after"]["first"]) == ({"m1": ["/etc/passwd"]}, {})
    assert len((tmp_path / "known").read_text().splitlines()) == 1


def test_a_key_that_is_known_of_another_host_is_a_first_contact(sshd, keys, run, tmp_path):
    """m2 is known; it answers for m1, which nobody has met."""
    known, m2, m1 = tmp_path / "known", sshd("one"), sshd("one")
    known.touch()
    run("gather", hosts=(host("m2", m2, known),))
    said = run("gather", hosts=(host("m1", m1, known),))
    assert said["first_contacts"] == {"m1": fingerprint(keys, "one")}


@pytest.mark.parametrize("key", ["other", "third"])
def test_openssh_accepts_no_second_key_of_a_host_either(sshd, tmp_path, key):
    """Neither one of the same type nor, which OpenSSH could take for new, of another."""
    daemon, known = sshd("one"), tmp_path / "known"
    met = host("m1", daemon, known)
    assert openssh.run(met, "echo", "hello") == b"hello\n"
    before = known.read_text()
    connection.close_all()
    daemon.start(key)
    with pytest.raises(Unreachable):
        openssh.run(met, "true")
    assert known.read_text() == before


@pytest.mark.parametrize("checking", ["accept-new", "yes"])
def test_a_known_hosts_file_may_have_any_name_that_an_inventory_may_have(sshd, keys, tmp_path, checking):
    """Of `known hosts` OpenSSH took two files, of `%h` the host's name."""
    daemon = sshd("one")
    known = tmp_path / "known hosts %h"
    met = host("m1", daemon, known, strict_host_key_checking=checking)
    if checking == "yes":
        public = " ".join((keys / "one.pub").read_text().split()[:2])
        known.write_text(f"[127.0.0.1]:{daemon.port} {public}\n")
    assert openssh.run(met, "echo", "hello") == b"hello\n"
    assert str(daemon.port) in known.read_text()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("known")] == [known.name]


def test_a_host_is_reached_by_a_key_of_any_name(sshd, keys, tmp_path):
    daemon = sshd("one")
    odd = tmp_path / "my key %h"
    odd.write_bytes((keys / "user").read_bytes())
    odd.chmod(0o600)
    assert openssh.run(host("m1", daemon, tmp_path / "known", key=str(odd)), "true") == b""


def test_a_jump_host_of_ssh_config_is_gone_through_and_lent_no_agent(sshd, keys, run, tmp_path):
    """Jumping is what the config may say; the agent that it would lend to the jump host on the way, it may not."""
    jump, target, known = sshd("other"), sshd("one"), tmp_path / "known"
    public = " ".join((keys / "other.pub").read_text().split()[:2])
    known.write_text(f"[127.0.0.1]:{jump.port} {public}\n")
    config = tmp_path / "config"
    config.write_text(
        f"Host jump\n    HostName 127.0.0.1\n    Port {jump.port}\n    User root\n    IdentityFile {keys}/user\n"
        f"    StrictHostKeyChecking yes\nHost *\n    UserKnownHostsFile {known}\n    ForwardAgent yes\n"
        "Host 127.0.0.1\n    ProxyJump jump\n"
    )
    met = host("m1", target, known, config_file=str(config))
    assert openssh.run(met, "sh", "-c", "echo ${SSH_AUTH_SOCK-none}; echo $SSH_CONNECTION").startswith(b"none\n")
    assert run("gather", hosts=(met,))["values"] == {"m1": ["/etc/passwd"]}
