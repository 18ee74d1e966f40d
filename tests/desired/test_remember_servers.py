"""What root writes before haproxy is reloaded, on a directory that somebody else may have got at."""

import contextlib
import os
import socket
import subprocess
import sys
import threading

import pytest

from haplane.render import render

KNOWN = (
    b"1\n# be_id be_name srv_id srv_name\n2 apiservers 1 m1 10.0.0.21 2 0 1 1 5 6 3 4 6 0 0 0 - 6443 - 0 0 - - 0\n"
)
ME = os.getuid()
CONFIGURATION = """
backend apiservers
    server m1 10.0.0.21:6443
    server m2 10.0.0.22:6443
"""


@pytest.fixture
def remember(tmp_path):
    """The script with a haproxy of the current user's as root's."""
    directory, configuration = tmp_path / "run", tmp_path / "haproxy.cfg"
    directory.mkdir(mode=0o700)
    configuration.write_text(CONFIGURATION)

    def answer(admin):
        while True:
            try:
                client, _ = admin.accept()
            except OSError:
                return
            with client, contextlib.suppress(BrokenPipeError):
                client.recv(100)
                client.sendall(KNOWN)

    with socket.socket(socket.AF_UNIX) as admin:
        admin.bind(str(directory / "admin.sock"))
        admin.listen()
        threading.Thread(target=answer, args=(admin,), daemon=True).start()

        def run(root=ME):
            script = render("haproxy-remember-servers.j2").replace("/run/haplane-haproxy", str(directory))
            script = script.replace("/etc/haproxy/haproxy.cfg", str(configuration))
            command = [sys.executable, "-c", script.replace("ROOT = 0", f"ROOT = {root}")]
            return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)

        yield directory, run
        admin.shutdown(socket.SHUT_RDWR)


def test_a_server_that_is_new_is_written_down_as_stopped(remember):
    directory, run = remember
    assert run().returncode == 0
    *known, new = (directory / "server-states").read_text().splitlines()
    assert "\n".join(known) == KNOWN.decode().strip()
    assert new == "0 apiservers 0 m2 10.0.0.22 0 0 1 1 0 1 0 0 0 0 0 0 - 6443 - 0 0 - - 0"
    assert (directory / "server-states").stat().st_mode & 0o777 == 0o600


def test_a_link_that_somebody_put_there_is_not_followed(remember, tmp_path):
    directory, run = remember
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    for name in ("server-states", "server-states.new"):
        (directory / name).symlink_to(victim)
    assert run().returncode == 0
    assert victim.read_text() == "theirs"
    assert not (directory / "server-states").is_symlink()


@pytest.mark.parametrize("mode", [0o770, 0o701, 0o2775])
def test_a_directory_that_others_get_at_is_not_written_to(remember, mode):
    directory, run = remember
    directory.chmod(mode)
    assert "is not root's alone" in run().stderr
    assert not (directory / "server-states").exists()


def test_a_listener_that_was_not_started_by_root_is_not_believed(remember):
    directory, run = remember
    assert "is not haproxy" in run(root=4711).stderr
    assert not (directory / "server-states").exists()
