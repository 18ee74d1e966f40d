"""Disks, packets, time services and slow writes, as this machine and real text have them."""

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from ast import literal_eval
from pathlib import Path

import pytest
from observing import observe

from haplane.facts.on_host import condition

SLOW = (
    '{"level":"warn","ts":"2026-11-29T10:00:00.000000Z","caller":"wal/wal.go:836","msg":"slow fdatasync",'
    '"took":"%s","expected-duration":"1s"}'
)


def test_every_file_system_is_there_once_with_its_figures(tmp_path):
    (tmp_path / "below").mkdir()
    places = (str(tmp_path), str(tmp_path / "below"), str(tmp_path / "absent"))
    (found,), unread = condition.filesystems(places)
    total = shutil.disk_usage(tmp_path)
    assert (found["path"], found["size"], found["read_only"]) == (str(tmp_path), total.total, False)
    assert 0 < found["free"] <= total.total
    assert unread == {}


def test_what_cannot_be_looked_at_is_reported_as_that(monkeypatch):
    def fails(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(condition.os, "statvfs", fails)
    assert condition.filesystems(("/",)) == ([], {"/": "Input/output error"})


def test_this_machine_is_reported(tmp_path):
    subnet = tmp_path / "subnet.env"
    subnet.write_text("FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n")
    found = observe(moved={"/run/flannel/subnet.env": subnet}).condition
    assert found.pod_mtu == 1450
    assert found.mtus["lo"] == int(Path("/sys/class/net/lo/mtu").read_text())
    assert found.filesystems
    assert found.synchronised in (True, False, None)


def test_interfaces_are_those_of_the_hosts_own_network_though_sys_is_anothers():
    """As in a container with the /sys of its host."""
    asked = "from haplane.facts.on_host.condition import mtus; print(mtus())"
    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", sys.executable, "-c", asked],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "unshare" in done.stderr:
        pytest.skip(done.stderr)
    assert [name for name in literal_eval(done.stdout) if name != "lo"] == []


@pytest.mark.parametrize(("took", "seconds"), [("1.203456s", 1.203456), ("1m2.5s", 62.5), ("1100ms", 1.1)])
def test_slow_writes_are_read_from_etcds_log(took, seconds):
    other = '{"level":"warn","msg":"apply request took too long","took":"1.5s"}'
    broken = SLOW[:-3] % took
    assert condition.took("\n".join([other, SLOW % took, broken, "panic: x"])) == [pytest.approx(seconds)]


SHOWN = """Id={name}.service
LoadState=loaded
ActiveState={active}
UnitFileState={file}
ConditionResult={met}
ConditionTimestampMonotonic={at}
"""


@pytest.mark.parametrize(
    ("units", "stopped"),
    [
        ([("chrony", "active", "enabled", "yes", 7)], []),
        ([("chrony", "inactive", "enabled", "yes", 7)], ["chrony"]),
        ([("chrony", "failed", "enabled", "yes", 7)], ["chrony"]),
        ([("chrony", "inactive", "enabled", "no", 0)], ["chrony"]),
        ([("systemd-timesyncd", "inactive", "enabled", "no", 7)], []),
        ([("chrony", "inactive", "disabled", "no", 0)], []),
        ([("chrony", "active", "enabled", "yes", 7), ("systemd-timesyncd", "inactive", "enabled", "yes", 7)], []),
    ],
)
def test_a_time_service_counts_as_stopped_only_where_it_should_run(units, stopped, tmp_path):
    text = "\n".join(
        SHOWN.format(name=name, active=active, file=file, met=met, at=at) for name, active, file, met, at in units
    )
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}END\n")
    program.chmod(0o755)
    path = os.environ["PATH"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PATH", f"{tmp_path}:{path}")
        assert condition.stopped_time_services() == stopped


def test_connections_that_the_packet_filter_remembers(tmp_path, monkeypatch):
    monkeypatch.setattr(condition, "CONNTRACK", str(tmp_path / "nf_conntrack"))
    assert condition.tracked_connections() == []
    (tmp_path / "nf_conntrack_count").write_text("17\n")
    (tmp_path / "nf_conntrack_max").write_text("262144\n")
    assert condition.tracked_connections() == [17, 262144]


def test_threads_files_and_memory_of_this_kernel():
    for seen in (condition.tasks(), condition.open_files(), condition.memory()):
        now, most = seen
        assert 0 < now < most


def test_files_that_no_program_can_watch_any_more(monkeypatch):
    assert condition.why_no_watch() == ""

    class Library:
        def inotify_init1(self, flags):
            ctypes.set_errno(errno.EMFILE)
            return -1

    monkeypatch.setattr(condition.ctypes, "CDLL", lambda *_, **__: Library())
    assert condition.why_no_watch() == "fs.inotify.max_user_instances"


NO_ENTRIES = ('{"msg":"slow fdatasync"}', "[" * 100_000 + '"msg":"slow fdatasync"', '["msg":"slow fdatasync"]')


@pytest.mark.parametrize("line", NO_ENTRIES, ids=["without", "deep", "list"])
def test_what_the_user_etcd_writes_into_its_log_keeps_no_report_from_being_read(line):
    assert condition.took(f'{line}\n{{"msg":"slow fdatasync","took":"2s"}}\n') == [2.0]
