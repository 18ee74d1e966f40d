"""pyinfra's sessions with real sshds, in processes of their own because gevent has to be patched first."""

from __future__ import annotations

import base64
import re
import socket
import subprocess
from pathlib import Path

import pytest
from ports import free_port

from haplane.config.model import Host
from haplane.errors import DEADLINE_MARK, FIX_AND_RERUN
from haplane.remote.environment import PATH

SECRET = bytes(range(256)) * 2


@pytest.fixture
def hosts(machines) -> tuple[Host, ...]:
    return machines[0].masters


def reached(host: Host, **ssh: object) -> Host:
    return host.model_copy(update={"ssh": host.ssh.model_copy(update=ssh)})


@pytest.fixture
def off(hosts) -> Host:
    """The second master, at a port that nobody listens on."""
    return reached(hosts[1], port=free_port())


@pytest.fixture
def locked_out(hosts, tmp_path) -> Host:
    """The third master, with a key that it does not know."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    return reached(hosts[2], key=str(tmp_path / "key"))


def test_all_hosts_are_asked(run, hosts):
    said = run("gather", hosts=hosts)
    assert said["values"] == dict.fromkeys(("m1", "m2", "m3"), ["/etc/passwd"])
    assert said["failed"] == {}


def test_a_host_key_is_accepted_once_and_its_fingerprint_is_told(run, hosts, tmp_path):
    (tmp_path / "known").touch()
    new = tuple(reached(host, known_hosts_file=str(tmp_path / "known")) for host in hosts[:2])
    public = Path(hosts[0].ssh.key).with_name("host.pub")
    shown = subprocess.run(["ssh-keygen", "-lf", public], capture_output=True, text=True, check=True).stdout
    assert run("gather", hosts=new)["first_contacts"] == dict.fromkeys(("m1", "m2"), shown.split()[1])
    assert run("gather", hosts=new)["first_contacts"] == {}


def test_a_host_that_does_not_answer_is_named_with_the_reason_and_the_others_are_heard(run, hosts, off, locked_out):
    said = run("gather", hosts=(hosts[0], off, locked_out))
    assert said["values"] == {"m1": ["/etc/passwd"]}
    assert set(said["failed"]) == {"m2", "m3"}
    assert "connect" in said["failed"]["m2"].lower()
    assert "permission denied" in said["failed"]["m3"].lower()


def test_no_host_that_answers_is_all_named(run, off, locked_out):
    said = run("gather", hosts=(off, locked_out))
    assert said["values"] == {}
    assert set(said["failed"]) == {"m2", "m3"}


def test_a_recipe_runs_everywhere_and_tells_each_step(run, hosts):
    assert run("deploy", "true", hosts=hosts)["told"] == [["m1, m2, m3", "Nothing"], ["m1, m2, m3", "A change"]]


@pytest.mark.parametrize("sudo", [False, True])
def test_what_a_login_sets_reaches_no_operation(run, hosts, tmp_path, sudo):
    """The sshd sets a short PATH and proxy variables, as /etc/environment or sudo's secure_path may."""
    run("deploy", f"env >{tmp_path}/environment", hosts=(reached(hosts[0], sudo=sudo),))
    found = dict(line.split("=", 1) for line in (tmp_path / "environment").read_text().splitlines())
    assert found["PATH"] == PATH
    assert not [name for name in found if name.lower().endswith("_proxy")]


def test_a_secret_is_placed_whole_once_and_the_second_run_leaves_it(run, hosts, tmp_path):
    path = tmp_path / "pki" / "ca.key"
    assert run("place", str(path), hosts=hosts[:1]) == {}
    first = path.stat()
    assert path.read_bytes() == bytes(range(256)) * 64
    assert (first.st_mode & 0o7777, first.st_uid) == (0o600, 0)
    assert run("place", str(path), hosts=hosts[:1]) == {}
    assert path.stat().st_ino == first.st_ino
    assert [file.name for file in path.parent.iterdir()] == ["ca.key"]


def test_the_log_has_each_command_with_its_exit_status_and_output_and_no_secret(run, hosts, tmp_path):
    run("place", str(tmp_path / "pki" / "ca.key"), hosts=hosts[:1])
    log = (tmp_path / "hosts.log").read_text()
    assert "m1: exit 0, " in log
    assert "(connect)" in log
    assert not [start for start in range(256) if base64.b64encode(SECRET[start : start + 48]).decode() in log]
    run("deploy", "echo so it is; exit 7", hosts=hosts)
    log = (tmp_path / "hosts.log").read_text()
    for host in hosts:
        (line,) = re.findall(rf" {host.name}: exit 7, \d+\.\d\d s: .*so it is.*\n    \| so it is\n", log)


def test_one_host_out_of_reach_means_that_nothing_is_done_anywhere(run, hosts, off, tmp_path):
    said = run("deploy", f"touch {tmp_path}/done", hosts=(hosts[0], off))
    assert said["error"] == "Unreachable"
    assert said["what"] == "m2 cannot be reached"
    assert said["where"] == f"-i {off.ssh.key} -p {off.ssh.port} 127.0.0.1"
    assert said["why"]
    assert "ssh" in said["next_step"]
    assert not (tmp_path / "done").exists()


def test_a_wrong_key_is_said(run, locked_out):
    said = run("deploy", "true", hosts=(locked_out,))
    assert (said["error"], said["what"]) == ("Unreachable", "m3 cannot be reached")
    assert "permission denied" in said["why"].lower()


def test_an_unknown_host_key_is_refused_when_keys_must_be_known(run, hosts, tmp_path):
    strict = reached(hosts[0], strict_host_key_checking="yes", known_hosts_file=str(tmp_path / "empty"))
    said = run("deploy", "true", hosts=(strict,))
    assert said["error"] == "Unreachable"
    assert "host key" in said["why"].lower() or "known" in said["why"].lower()


def test_a_failing_command_names_the_step_every_host_it_failed_on_and_what_they_said(run, hosts):
    said = run("deploy", "echo fine; echo no space left >&2; exit 3", hosts=hosts)
    assert said["error"] == "HaplaneError"
    assert said["what"] == "A change: failed on m1, m2, m3"
    assert said["why"].count("no space left") == 3
    assert "m2: A change" in said["where"]
    assert said["next_step"] == FIX_AND_RERUN


def test_a_host_that_goes_away_between_two_operations_is_named_without_a_traceback(run, hosts):
    said = run("vanish", hosts=hosts[:1])
    assert (said["error"], said["what"]) == ("HaplaneError", "connection: failed on m1")


def test_a_host_that_is_found_gone_while_it_is_dialled_is_not_waited_for(run, hosts):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = run("silence", hosts=(reached(hosts[0], port=silent.getsockname()[1]),))
    assert said["failed"] == {"m1": "it stopped responding"}
    assert said["seconds"] < 10  # hung up on after 1 s; a banner would be waited for for 15 s


def test_a_host_that_is_late_with_everything_does_not_hold_the_others_up(run, hosts):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        late = reached(hosts[1], port=silent.getsockname()[1])
        said = run("late", hosts=(hosts[0], late))
    assert said["values"] == {"m1": ["/etc/passwd"]}
    assert said["failed"] == {"m2": "it did not connect within 6 s"}
    assert said["seconds"] < 14


def test_waiting_in_vain_is_a_deadline_with_its_reason(run, hosts):
    said = run(
        "deploy", f"echo '{DEADLINE_MARK} not within 80 s: it reads through quorum: refused' >&2; exit 1", hosts=hosts
    )
    assert said["error"] == "DeadlinePassed"
    assert said["why"].count("it reads through quorum: refused") == 3
