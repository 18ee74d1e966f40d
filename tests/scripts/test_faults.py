"""Faults of drills, their undoing and a prober's place, with programs that answer as a test has them."""

import subprocess

import pytest

from haplane.scripts import script

TABLE = "table inet haplane_drill"


@pytest.fixture
def host(tmp_path):
    """Runs a script; ``programs`` are shell. ``log`` has their arguments."""
    log = tmp_path / "log"
    log.touch()

    def run(text, **programs):
        for name, body in programs.items():
            path = tmp_path / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f'#!/bin/sh\necho "{name} $*" >>{log}\n{body}\n')
            path.chmod(0o755)
        path = f"{tmp_path}/bin:/usr/bin:/bin"
        return subprocess.run(["sh", "-c", text], env={"PATH": path}, capture_output=True, text=True, check=False)

    run.log = log
    return run


@pytest.mark.parametrize(
    ("nft", "undone"),
    [
        ("case $1 in list) echo table ip filter ;; esac", True),
        ("case $1 in list) echo table ip filter ;; delete) exit 1 ;; esac", True),  # it was gone already
        (f"case $1 in list) echo {TABLE} ;; delete) exit 1 ;; esac", False),
        ("exit 1", False),
        ("case $1 in list) exit 1 ;; esac", False),
    ],
)
def test_only_a_list_without_the_table_proves_that_packets_are_dropped_no_more(host, nft, undone):
    """A failing `nft list tables` was taken for an empty list: the host stayed cut off, and the drill was done."""
    done = host(script("stop_dropping_packets"), nft=nft)
    assert (done.returncode == 0) is undone
    assert host.log.read_text().startswith("nft delete table inet haplane_drill\n")


IP = "echo '2: eth1    inet 10.0.0.21/24 brd 10.0.0.255 scope global eth1'"


def tc(shown):
    return f"case $2 in show) {shown} ;; esac"


@pytest.mark.parametrize(
    ("shown", "kind"),
    [
        ("echo 'qdisc fq_codel 0: root refcnt 2 limit 10240p'", None),
        ("echo 'qdisc mq 0: root'; echo 'qdisc fq_codel 0: parent :1 limit 10240p'", None),
        ("echo 'qdisc netem 4a70: root refcnt 2 limit 1000 delay 100ms'", None),
        ("echo 'qdisc htb 1: root refcnt 2 r2q 10 default 0x30'", "htb"),
        ("echo 'qdisc netem 8001: root refcnt 2 limit 1000 delay 5ms'", "netem"),
    ],
)
def test_a_queueing_discipline_that_somebody_chose_is_not_replaced(host, shown, kind):
    """The drill ended with the kernel's default: whoever shaped that interface's packets did no more."""
    delay = script("delay_packets", address="10.0.0.21", milliseconds="100")
    done = host(delay, ip=IP, tc=tc(shown))
    replaced = "tc qdisc replace dev eth1 root handle 4a70: netem delay 100ms\n" in host.log.read_text()
    assert (done.returncode == 0, replaced) == (kind is None, kind is None)
    if kind is not None:
        assert done.stderr == f"eth1 has a queueing discipline of its own ({kind}): its packets cannot be delayed\n"


@pytest.mark.parametrize(
    ("shown", "code", "deleted"),
    [
        ("echo 'qdisc netem 4a70: root refcnt 2 limit 1000 delay 100ms'", 0, True),
        ("echo 'qdisc netem 8001: root refcnt 2 limit 1000 delay 5ms'", 0, False),
        ("echo 'qdisc fq_codel 0: root refcnt 2'", 0, False),
        ("exit 2", 2, False),
    ],
)
def test_only_the_drills_own_delay_is_undone_and_a_failing_tc_has_undone_nothing(host, shown, code, deleted):
    done = host(script("stop_delaying_packets", address="10.0.0.21"), ip=IP, tc=tc(shown))
    assert done.returncode == code, done.stderr
    assert ("tc qdisc del dev eth1 root\n" in host.log.read_text()) is deleted


@pytest.mark.parametrize(
    ("found", "code", "entered"), [("echo 77", 0, ["--net --target 77 cat a b"]), ("exit 3", 3, [])]
)
def test_a_prober_begins_in_the_network_of_the_dns_pod_or_not_at_all(host, found, code, entered):
    text = script("enter_dns_pod", ["cat", "a b"], newest_process="import that")
    assert host(text, python3=found, nsenter="").returncode == code
    calls = host.log.read_text().splitlines()
    assert calls == ["python3 -I -c import that coredns", *(f"nsenter {one}" for one in entered)]


@pytest.mark.parametrize(("signal", "undone"), [("STOP", False), ("CONT", True)])
def test_where_a_unit_does_not_run_nothing_is_frozen_any_more(host, signal, undone):
    """The undo failed, was tried again for minutes, and its file kept every later drill from that host."""
    done = host(script("signal_unit", unit="etcd", signal=signal), systemctl="exit 3")
    assert (done.returncode == 0) is undone
    assert ("etcd does not run" in done.stdout) is not undone
