"""Against real sshds; nothing here knows pyinfra."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ports import free_port

from haplane.config.model import Host
from haplane.errors import DeadlinePassed, HaplaneError, Unreachable
from haplane.remote import openssh
from haplane.remote.environment import PATH


@pytest.fixture
def host(machines) -> Host:
    return machines[0].masters[0]


def reached(host: Host, **ssh: object) -> Host:
    return host.model_copy(update={"ssh": host.ssh.model_copy(update=ssh)})


@pytest.fixture
def closed_port() -> int:
    return free_port()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Connections are accepted, by the kernel, and nobody ever says anything."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        yield int(mute.getsockname()[1])


@pytest.fixture
def stranger(tmp_path: Path) -> str:
    """A private key that no host knows."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    return str(tmp_path / "key")


def test_bytes_go_through_unchanged_both_ways(host):
    every = bytes(range(256)) * 300
    assert openssh.run(host, "cat", stdin=every) == every


def test_words_arrive_as_words(host):
    words = ("a b", "it's", '"$HOME"', "*", "", "line\nbreak")
    assert openssh.run(host, "printf", "%s\\0", *words).decode().split("\0")[:-1] == list(words)


@pytest.mark.parametrize("sudo", [False, True])
@pytest.mark.parametrize("command", [("env",), ("sh", "-c", "env")])
def test_a_login_s_search_path_proxies_and_language_are_not_a_command_s(host, sudo, command):
    """The sshd sets all three, as /etc/environment or a sudo with a secure_path of its own does."""
    lines = openssh.run(reached(host, sudo=sudo), *command).decode().splitlines()
    found = dict(line.split("=", 1) for line in lines)
    assert found.keys() <= {"PATH", "HOME", "LANG", "PWD", "OLDPWD", "SHLVL", "_"}
    assert (found["PATH"], found["HOME"], found["LANG"]) == (PATH, "/root", "C.UTF-8")
    assert "/usr/local/bin" in found["PATH"].split(":")


def test_a_failing_command_says_where_and_why_and_shows_nothing_it_was_given_or_wrote(host):
    with pytest.raises(HaplaneError) as failure:
        openssh.run(host, "sh", "-c", "cat; echo first >&2; echo no space left >&2; exit 3", stdin=b"SECRET")
    error = failure.value
    assert not isinstance(error, Unreachable)
    assert error.what == "a command failed on m1"
    assert (error.where, error.why) == ("m1: sh", "no space left")
    assert error.next_step
    assert "SECRET" not in f"{error}{error.__cause__}{error.__context__}"


def test_a_command_that_fails_without_a_word_gives_its_code(host):
    with pytest.raises(HaplaneError) as failure:
        openssh.run(host, "false")
    assert failure.value.why == "exit code 1"


def test_a_closed_port_is_unreachable(host, closed_port):
    with pytest.raises(Unreachable) as failure:
        openssh.run(reached(host, port=closed_port), "true")
    assert "refused" in failure.value.why
    assert failure.value.next_step == f"try `ssh -i {host.ssh.key} -p {closed_port} 127.0.0.1 true`"


def test_a_wrong_key_is_unreachable(host, stranger):
    with pytest.raises(Unreachable) as failure:
        openssh.run(reached(host, key=stranger), "true")
    assert "Permission denied" in failure.value.why


def test_an_unknown_host_key_is_refused_when_keys_must_be_known(host, tmp_path):
    strict = reached(host, strict_host_key_checking="yes", known_hosts_file=str(tmp_path / "empty"))
    with pytest.raises(Unreachable) as failure:
        openssh.run(strict, "true")
    assert "verification failed" in failure.value.why


def test_a_command_that_hangs_meets_its_deadline(host):
    started = time.monotonic()
    with pytest.raises(DeadlinePassed) as failure:
        openssh.run(host, "sleep", "60", deadline_seconds=0.7)
    assert time.monotonic() - started < 5
    assert failure.value.where == "m1: sleep"


def test_a_host_that_hangs_meets_the_deadline_too(host, silent_port):
    with pytest.raises(Unreachable):
        openssh.run(reached(host, port=silent_port), "true")


def test_files_are_read_whole_and_missing_ones_left_out(host, tmp_path):
    content = {
        tmp_path / "binary": bytes(range(256)),
        tmp_path / "empty": b"",
        tmp_path / "name with\nbreak": b"text without end",
    }
    for path, data in content.items():
        path.write_bytes(data)
    asked = [str(path) for path in content] + [str(tmp_path / "missing"), "/no/such/place"]
    assert openssh.read_files(host, asked) == {str(path): data for path, data in content.items()}


@pytest.mark.parametrize("asked", [[], ["/no/such/file"]])
def test_nothing_to_read_is_nothing(host, asked):
    assert openssh.read_files(host, asked) == {}


def test_one_file_that_must_be_there(host, tmp_path):
    (tmp_path / "file").write_bytes(b"\x00\xff")
    assert openssh.run(host, "cat", str(tmp_path / "file")) == b"\x00\xff"
    with pytest.raises(HaplaneError) as failure:
        openssh.run(host, "cat", "/no/such/file")
    assert "No such file" in failure.value.why


def test_sudo_and_ssh_never_ask(host):
    with_sudo = openssh.ssh_command(reached(host, sudo=True), "true")
    assert "exec sudo -n env -i " in with_sudo[-1]
    assert "BatchMode=yes" in with_sudo
