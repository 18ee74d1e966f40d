"""Programs that are missing, late or killed have not answered: what they would have reported is unknown."""

import sys

import pytest
from observing import observe

from haplane.facts.on_host import probe
from haplane.facts.on_host.balancer import answers_pings


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Makes a program of a script, the first in PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def make(name, script, mode=0o755):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(mode)
        return tmp_path

    return make


def test_only_another_code_than_0_is_a_no(programs):
    programs("fine", "echo yes")
    programs("says-no", "echo words >&2; exit 1")
    assert probe.run("fine") == "yes\n"
    assert probe.run("says-no") is None
    with pytest.raises(OSError, match="says-no failed: words"):
        probe.output_of("says-no")


@pytest.mark.parametrize("asked", [probe.run, probe.output_of, probe.run_if_installed])
@pytest.mark.parametrize(
    ("program", "why"),
    [
        (("exec sleep 60", 0o755), "it did not end within 0.3 s"),
        (("kill -KILL $$", 0o755), "it was ended by signal 9"),
        (("exit 0", 0o644), "it could not be run: Permission denied"),
        (None, "it could not be run: not found in PATH"),
    ],
)
def test_no_answer_is_no_no(programs, monkeypatch, asked, program, why):
    monkeypatch.setattr(probe.completed, "__kwdefaults__", {"seconds": 0.3})
    monkeypatch.setattr(probe.run, "__kwdefaults__", {"seconds": 0.3})
    if program is not None:
        programs("it", *program)
    elif asked is probe.run_if_installed:
        assert asked("it") is None, "that one may be missing"
        return
    with pytest.raises(OSError, match=why):
        asked("it")


def test_one_that_still_works_on_a_slow_host_is_waited_for(programs, monkeypatch):
    """On an emulated machine etcdctl needed more than 5 s, and `up` ended with "cannot be inspected"."""
    programs("slow", f"exec {sys.executable} -c 'import time\nwhile time.process_time() < 0.8: pass\nprint(1)'")
    monkeypatch.setattr(probe, "TIMES_LONGER", 100)
    assert probe.run("slow", seconds=0.3) == "1\n"
    monkeypatch.setattr(probe, "TIMES_LONGER", 1)
    with pytest.raises(OSError, match=r"slow did not end within 0.3 s"):
        probe.run("slow", seconds=0.3)


SHORT = (("PROBE_SECONDS = 5", "PROBE_SECONDS = 1"),)
LATE = "exec sleep 60"


def make_keys(directory):
    """Of a client of etcd, empty."""
    directory.mkdir()
    for name in ("ca.crt", "healthcheck-client.crt", "healthcheck-client.key"):
        (directory / name).touch()


@pytest.mark.parametrize(
    ("program", "parts"),
    [("ss", ["listening"]), ("ip", ["addresses", "balancer", "surroundings"]), ("ctr", ["images"])],
)
def test_a_program_that_is_late_fails_its_part(programs, program, parts):
    """ss was late: every port was free; ip was: no interface had the address."""
    failed = observe(commands=programs(program, LATE), edited=SHORT).failed
    assert [failed.get(part) for part in parts] == [f"{program} did not end within 1 s"] * len(parts)


def test_a_failing_ss_frees_no_port(programs):
    found = observe(commands=programs("ss", "echo Cannot open netlink socket >&2; exit 255"))
    assert found.failed["listening"] == "ss failed: Cannot open netlink socket"


@pytest.mark.parametrize("script", [LATE, "exit 0"])
def test_an_etcdctl_that_is_late_or_cannot_be_run_makes_its_member_unknown(programs, tmp_path, script):
    (tmp_path / "etcd" / "member" / "wal").mkdir(parents=True)
    make_keys(tmp_path / "pki")
    commands = programs("etcdctl", script, 0o755 if script == LATE else 0o644)
    moved = {"/var/lib/etcd/": f"{tmp_path}/etcd/", "/etc/etcd/pki": tmp_path / "pki"}
    found = observe(commands=commands, moved=moved, edited=SHORT)
    assert found.failed["etcd"] in (
        "etcdctl did not end within 1 s",
        "etcdctl could not be run: Permission denied",
        "etcdctl could not be run: not found in PATH",
    )


def test_an_outsider_that_etcdctl_was_late_to_reach_is_not_called_down(programs, tmp_path):
    members = (
        '{"members": [{"ID": 30, "peerURLs": ["https://10.0.0.30:2380"], "clientURLs": ["https://10.0.0.30:2379"]}]}'
    )
    (tmp_path / "etcd" / "member" / "wal").mkdir(parents=True)
    make_keys(tmp_path / "pki")
    script = f"case \"$*\" in\n*'member list'*) echo '{members}' ;;\n*10.0.0.30:2379*) {LATE} ;;\n*) exit 1 ;;\nesac"
    moved = {"/var/lib/etcd/": f"{tmp_path}/etcd/", "/etc/etcd/pki": tmp_path / "pki"}
    found = observe(commands=programs("etcdctl", script), moved=moved, edited=SHORT, etcd_addresses=["10.0.0.21"])
    assert found.etcd.outsiders == {}
    assert len(found.etcd.members) == 1


@pytest.mark.parametrize(
    ("script", "answers", "unknown"),
    [
        ("exit 0", True, ""),
        ("exit 1", False, ""),
        (LATE, False, "ping did not end within 1 s"),
    ],
)
def test_an_address_that_could_not_be_pinged_is_not_free(programs, script, answers, unknown):
    found = observe(commands=programs("ping", script), edited=SHORT, ping_endpoint=True).balancer
    assert (found.endpoint_answers, found.endpoint_unknown) == (answers, unknown)


def test_a_host_without_ping_names_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert answers_pings("10.0.0.10") == (False, "ping could not be run: not found in PATH", "ping")


@pytest.mark.parametrize(
    ("script", "failed", "filtered"),
    [(LATE, "nft did not end within 1 s", None), ("exit 1", None, False), ("exit 0", None, True)],
)
def test_a_filter_that_could_not_be_looked_at_is_not_gone(programs, tmp_path, script, failed, filtered):
    (tmp_path / "vrrp.nft").touch()
    moved = {"/etc/haplane/vrrp.nft": tmp_path / "vrrp.nft"}
    found = observe(commands=programs("nft", script), moved=moved, edited=SHORT, ping_endpoint=False)
    assert (found.failed.get("balancer"), found.balancer.adverts_filtered) == (failed, filtered)


def test_a_packet_filter_that_could_not_be_looked_at_is_not_empty(programs, tmp_path):
    (tmp_path / "kubelet.conf").touch()
    moved = {"/etc/kubernetes/kubelet.conf": tmp_path / "kubelet.conf"}
    found = observe(commands=programs("nft", LATE), moved=moved, edited=SHORT)
    assert found.failed["precedence"] == "nft did not end within 1 s"


def test_a_kernel_setting_is_a_text_file_like_others():
    """/proc/sys answers a request for megabytes with ENOMEM, which was taken for an absent file."""
    assert probe.read("/proc/sys/kernel/ostype") == "Linux\n"
