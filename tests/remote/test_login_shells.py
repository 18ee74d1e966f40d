"""Whatever login shell, sudo or doas a host has: `ssh HOST true` works, and so does everything of ours."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
import samples
from ports import free_port

from haplane.config.model import Host
from haplane.drills.probing.probers import requests_of
from haplane.drills.probing.recording import Recording
from haplane.drills.probing.timeline import Request
from haplane.errors import HaplaneError, Unreachable
from haplane.login_shell import for_any_shell
from haplane.remote import connection, environment, openssh
from haplane.remote.holder import Holder, Owner

from .conftest import wait_until_it_listens

SHELLS = ("sh", "bash", "zsh", "csh", "tcsh", "fish")
"""Debian packages of the ones that are not always there: TEST_PACKAGES in the Makefile."""
RC_FILES = {
    ".bashrc": "printf Willkommen-\\374; printf g\\374tig >&2; PATH=/nowhere; umask 077\n",
    ".zshenv": "echo Welcome; PATH=/nowhere; umask 077\n",
    ".cshrc": "echo Welcome; set path = (/nowhere); umask 077\n",
    ".config/fish/config.fish": "echo Welcome; set PATH /nowhere; umask 077\n",
}
HARD_WORDS = (
    "a b",
    "it's",
    '"$HOME" `id` $(id)',
    "*",
    "",
    "line\nbreak\n",
    "! !! !$ ^a^b",
    "\\n \\' \\\\ %s",
    "~ é\t\x7f",
)
EVERY_BYTE = bytes(range(256)) * 400
LONG = "# it's long!\n" + "true # filler\n" * 2000 + "umask; id -u; echo why >&2; exit 7"
START = """
mount --bind "$1/etc" /etc && mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec "$2" -D -e -f "$1/config"
"""
CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host
AuthorizedKeysFile {directory}/user.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
Match User user-sh
    ForceCommand internal-sftp
Match User root-recorded
    ForceCommand /bin/sh -c 'eval "$SSH_ORIGINAL_COMMAND"'
"""
USERS = 61000


class Logins:
    """An sshd that takes one user for each shell, and some who are not root. /etc is its own where it matters."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True)
        self.port = free_port()
        (directory / "config").write_text(CONFIG.format(port=self.port, directory=directory))
        self.etc = directory / "etc"
        subprocess.run(["cp", "-a", "/etc", self.etc], check=True)
        for number, shell in enumerate(SHELLS, USERS):
            self._add(f"root-{shell}", 0, shell)
            self._add(f"user-{shell}", number, shell)
        self._add("root-recorded", 0, "sh")
        self._add("nobody-there", USERS - 1, "nologin")
        self._add("homeless", USERS - 2, "sh")
        shutil.rmtree(directory / "homeless")

    def _add(self, name: str, number: int, shell: str) -> None:
        home = self.directory / name
        for file, text in RC_FILES.items():
            (home / file).parent.mkdir(parents=True, exist_ok=True)
            (home / file).write_text(text)
        subprocess.run(["chown", "--recursive", f"{number}:{number}", home], check=True)
        program = shutil.which(shell)
        assert program is not None, f"{shell} is not installed: make check"
        with (self.etc / "passwd").open("a") as passwd, (self.etc / "shadow").open("a") as shadow:
            passwd.write(f"{name}:x:{number}:{number}::{home}:{program}\n")
            shadow.write(f"{name}:*:20000:0:99999:7:::\n")

    @contextmanager
    def start_file(self, user: str, name: str, text: str) -> Iterator[None]:
        """Another one for as long."""
        file = self.directory / user / name
        file.write_text(text)
        try:
            yield
        finally:
            file.write_text(RC_FILES[name])

    def sudoers(self, defaults: str, right: str = "ALL = (ALL) NOPASSWD: ALL") -> None:
        """What all there is in sudoers."""
        lines = (defaults, "Defaults iolog_dir=/run/sudo-io", f"user-tcsh {right}")
        (self.etc / "sudoers").write_text("".join(f"{line}\n" for line in lines))

    def host(self, user: str, **ssh: object) -> Host:
        reached = {"hostname": "127.0.0.1", "port": self.port, "key": str(self.directory / "user"), "user": user}
        reached |= {"known_hosts_file": str(self.directory / "known"), "config_file": "/dev/null", **ssh}
        plain = samples.host("m1", 21)
        return plain.model_copy(update={"ssh": plain.ssh.model_copy(update=reached)})


@pytest.fixture(scope="module")
def logins() -> Iterator[Logins]:
    sshd = shutil.which("sshd")
    if os.getuid() != 0 or sshd is None:
        pytest.skip("needs root and sshd")
    with tempfile.TemporaryDirectory(prefix="haplane-logins-") as name:  # pytest's own are root's alone
        directory = Path(name)
        directory.chmod(0o755)
        made = Logins(directory)
        with (directory / "log").open("wb") as log:
            init = subprocess.Popen(["unshare", "--mount", "sh", "-c", START, "sh", directory, sshd], stderr=log)
        try:
            wait_until_it_listens(init, made.port, directory / "log")
            yield made
        finally:
            init.kill()
            init.wait()


@pytest.fixture(autouse=True)
def _afresh():
    yield
    connection.close_all()


def everything_works(run: Callable[..., dict[str, object]], host: Host) -> None:
    """Words, streams, exit codes, standard error, umask; over pyinfra as over OpenSSH."""
    assert openssh.run(host, "printf", "%s\\0", *HARD_WORDS).decode() == "".join(f"{word}\0" for word in HARD_WORDS)
    assert openssh.run(host, "cat", stdin=EVERY_BYTE) == EVERY_BYTE
    done = openssh.attempt(host, "sh", "-c", LONG)
    assert (done.code, done.stdout, done.stderr.strip()) == (7, b"0022\n0\n", b"why")
    assert run("gather", hosts=(host,))["values"] == {"m1": ["/etc/passwd"]}


@pytest.mark.parametrize("shell", SHELLS)
def test_root_has_any_shell(logins, run, shell):
    everything_works(run, logins.host(f"root-{shell}"))


@pytest.mark.parametrize(
    "defaults",
    [
        "",
        "Defaults requiretty",
        "Defaults use_pty",
        "Defaults log_output, log_input",
        "Defaults requiretty, use_pty, log_output",
        "Defaults umask=0077, umask_override",
        'Defaults secure_path="/nowhere:/usr/bin", env_keep="LANG LC_ALL PATH", timestamp_timeout=0',
        "Defaults logfile=/run/sudo.log, mail_always, lecture=always, exec_background, !env_reset",
        "Defaults log_subcmds\nDefaults:user-tcsh !log_subcmds, !intercept",
    ],
)
def test_sudo_is_set_up_as_people_do(logins, run, defaults):
    logins.sudoers(defaults)
    everything_works(run, logins.host("user-tcsh", sudo=True))


def test_doas_is_as_good(logins, run):
    (logins.etc / "doas.conf").write_text("permit nopass user-tcsh\n")
    everything_works(run, logins.host("user-tcsh", doas=True))


@pytest.mark.parametrize(
    ("program", "right", "cure"),
    [
        ("sudo", "ALL = (ALL) ALL", "add `user-tcsh ALL=(ALL) NOPASSWD: ALL` to /etc/sudoers.d/haplane"),
        (
            "sudo",
            "ALL = (ALL) NOPASSWD: /bin/ls",
            "add `user-tcsh ALL=(ALL) NOPASSWD: ALL` to /etc/sudoers.d/haplane",
        ),
        ("doas", "permit user-tcsh", "add `permit nopass user-tcsh` to /etc/doas.conf"),
        ("doas", "permit nopass root", "add `permit nopass user-tcsh` to /etc/doas.conf"),
    ],
)
def test_a_password_is_refused_with_the_line_that_cures_it(logins, program, right, cure):
    logins.sudoers("", right if program == "sudo" else "")
    (logins.etc / "doas.conf").write_text(f"{right}\n" if program == "doas" else "")
    with pytest.raises(Unreachable, match=f"{program} needs a password") as refused:
        openssh.run(logins.host("user-tcsh", **{program: True}), "true")
    assert cure in str(refused.value.why)


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("nobody-there", "This account is currently not available"),
        ("user-sh", "This service allows sftp connections only"),
    ],
)
def test_a_login_that_runs_no_commands_is_sent_nothing(logins, user, words):
    with pytest.raises(Unreachable, match=words) as refused:
        openssh.run(logins.host(user), "cat", stdin=b"SECRET")
    assert f" -p {logins.port} {user}@127.0.0.1 echo hello` has to print hello" in str(refused.value.why)


def test_a_login_that_starts_another_shell_instead_is_sent_nothing(logins, tmp_path):
    """It would run what we send as data."""
    starts = logins.start_file("user-bash", ".bashrc", "exec sh\n")
    with starts, pytest.raises(Unreachable, match="it ran something else"):
        openssh.run(logins.host("user-bash"), "cat", stdin=f"touch {tmp_path}/ran".encode())
    assert not (tmp_path / "ran").exists()


def test_a_host_that_is_found_gone_while_it_logs_in_is_that(logins):
    starts = logins.start_file("root-zsh", ".zshenv", "sleep 60\n")
    host = logins.host("root-zsh")
    threading.Timer(2, connection.hang_up, (host,)).start()
    began = time.monotonic()
    with starts, pytest.raises(Unreachable, match=connection.GONE):
        openssh.run(host, "true")
    assert time.monotonic() - began < 30
    connection.dial_again()


def test_sudo_that_is_not_there_is_named(logins, monkeypatch):
    monkeypatch.setattr(environment, "BEFORE", "PATH=/nowhere; export PATH;")
    with pytest.raises(Unreachable, match=r"sudo runs no commands \(.*not found\)"):
        openssh.run(logins.host("user-tcsh", sudo=True), "true")


def test_sudo_that_lets_commands_start_no_others_is_found_at_once(logins):
    logins.sudoers("Defaults noexec")
    with pytest.raises(Unreachable, match=r"sudo runs no commands \(.*Permission denied\)"):
        openssh.run(logins.host("user-tcsh", sudo=True), "true")


@pytest.mark.parametrize("defaults", ["Defaults log_output", "Defaults log_output, log_input, use_pty"])
def test_sudo_that_logs_what_commands_print_loses_nothing_of_it(logins, defaults):
    """It lost the end of one answer in ten, and the exit status was 0."""
    logins.sudoers(defaults)
    host = logins.host("user-tcsh", sudo=True)
    most = 3 * len(EVERY_BYTE)
    assert [len(openssh.run(host, "head", "-c", str(most), "/dev/zero")) for _ in range(30)] == [most] * 30


def test_sudo_that_kills_commands_with_long_arguments_is_named_with_the_line_that_cures_it(logins):
    logins.sudoers("Defaults log_subcmds")
    host = logins.host("user-tcsh", sudo=True)
    if "1.9.13" not in subprocess.run(["sudo", "-V"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("this sudo does not")
    with pytest.raises(Unreachable, match="sudo kills our commands") as refused:
        openssh.run(host, "true")
    assert "add `Defaults:user-tcsh !log_subcmds, !intercept` to /etc/sudoers.d/haplane" in str(refused.value.why)


@pytest.mark.parametrize("user", ["user-fish", "homeless"])
def test_what_a_login_writes_to_standard_error_is_not_why_a_command_failed(logins, user):
    """As bash does of a locale that the host does not have, and sshd of a home that is not there."""
    (logins.directory / "user-fish" / ".config/fish/config.fish").write_text("echo no such locale >&2\n")
    with pytest.raises(HaplaneError) as failed:
        openssh.run(logins.host(user), "false")
    assert failed.value.why == "exit code 1"


def test_who_reads_lines_begins_after_what_a_login_prints_in_whatever_encoding(logins):
    holder = Holder(logins.host("root-bash"))
    owner = Owner(machine="here", user="me", command="haplane up", since=datetime.now(UTC).isoformat())
    assert holder.take("0123", owner).granted
    holder.hang_up()
    holder.wait(10)
    request = Request("dns", 0, 1.0, 1.0, 1.5, ok=True)
    line = json.dumps(asdict(request))
    with Recording(openssh.ssh_command(logins.host("root-bash"), "echo", line), "", requests_of) as recording:
        assert recording.stop() == [request]
    with Recording(openssh.ssh_command(logins.host("root-bash"), "false"), "", requests_of) as recording:
        with pytest.raises(HaplaneError, match="the prober failed") as failed:
            recording.stop()
        assert failed.value.why == ""


def test_a_command_that_sshd_forces_may_run_ours(logins, run):
    """As what records sessions does."""
    everything_works(run, logins.host("root-recorded"))


@pytest.mark.parametrize("line", ["", "a" * 999 + "\n" * 3, "é" * 5000, "'" * 1001])
def test_no_word_is_longer_than_csh_takes(line):
    words = re.findall(r"'([^']*)'", for_any_shell(f": {line}"))
    assert max(map(len, words)) <= 1000
    assert all(word.isascii() and word.isprintable() and "!" not in word for word in words)
