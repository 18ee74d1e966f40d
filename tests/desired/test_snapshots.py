"""A member's files for snapshots: settings, credentials, units; and slots in systemd's words."""

import itertools
import json
import re
import shutil
import subprocess
from datetime import UTC, datetime

import pyrage
import pytest
import samples
from hypothesis import given, settings
from hypothesis import strategies as st

from haplane.agent.settings import AgentSettings
from haplane.config.snapshots import Snapshots
from haplane.desired.keys import key_paths
from haplane.desired.snapshots import OWN_FILES, S3Files, calendar, read_s3_files, snapshot_files
from haplane.domain import host_paths
from haplane.errors import BadInput
from haplane.pki.cluster_identity import IDENTITY_PATHS

RECIPIENT = str(pyrage.x25519.Identity.generate().to_public())
CREDENTIALS = b"[default]\naws_access_key_id = me\naws_secret_access_key = hunter2\n"
INTERVALS = [n for n in range(10, 86401, 2) if 3600 % n == 0 or (n >= 600 and 86400 % n == 0)]


def inventory(**snapshots):
    return samples.inventory(etcd=3, snapshots={"recipients": (RECIPIENT,), **snapshots})


def files(given, s3_files=None):
    return {file.path: file for file in snapshot_files(given, given.etcd[0], s3_files or S3Files())}


def test_only_members_get_them_and_only_when_asked_for():
    plain, asked = samples.inventory(), inventory()
    assert snapshot_files(plain, plain.etcd[0], S3Files()) == ()
    assert snapshot_files(asked, asked.masters[0], S3Files()) == ()
    assert set(files(asked)) == {
        host_paths.SNAPSHOT_SETTINGS_JSON,
        host_paths.SNAPSHOT_SERVICE,
        host_paths.SNAPSHOT_TIMER,
    }
    assert set(files(asked)) <= set(OWN_FILES)


def test_the_agent_reads_what_the_inventory_says():
    s3 = {"bucket": "etcd", "endpoint_url": "https://s3:9000", "ca_file": "ca.crt", "credentials_file": "c"}
    given = inventory(interval_seconds=30, s3=s3, keep_local={"last": 3}, on_failure={"command": ("logger",)})
    found = files(given, S3Files(b"CA", CREDENTIALS))
    told = AgentSettings.from_json(found[host_paths.SNAPSHOT_SETTINGS_JSON].content)
    assert (told.cluster, told.member, told.recipients, told.interval_seconds) == ("test", "e1", (RECIPIENT,), 30)
    assert (told.keep_local.last, told.keep_local.hourly) == (3, 0)
    assert (told.s3.bucket, told.s3.ca_file, told.s3.credentials_file) == (
        "etcd",
        host_paths.S3_CA_CRT,
        host_paths.S3_CREDENTIALS,
    )
    assert told.on_failure.command == ("logger",)
    assert found[host_paths.SNAPSHOT_SETTINGS_JSON].mode == found[host_paths.S3_CREDENTIALS].mode == 0o600
    assert "hunter2" not in json.dumps(found[host_paths.SNAPSHOT_SETTINGS_JSON].content.decode())
    assert "hunter2" not in repr(found)


def test_a_machine_that_is_only_etcd_holds_no_key_of_kubernetes():
    given = inventory()
    paths = set(key_paths(given, given.etcd[0]))
    assert "/etc/haplane/signing.key" in paths
    assert not paths & set(IDENTITY_PATHS)
    assert not [path for path in paths if path.startswith("/etc/kubernetes")]


@pytest.mark.parametrize(
    ("setting", "content", "why"),
    [
        ("ca_file", b"no certificate", "no PEM certificate"),
        ("ca_file", None, "No such file"),
        ("credentials_file", b"hunter2", r"no section \[default\]"),
        ("credentials_file", None, "No such file"),
    ],
)
def test_files_that_cannot_be_used_are_refused_without_quoting_them(tmp_path, setting, content, why):
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadInput, match=why) as caught:
        read_s3_files(inventory(s3={"bucket": "etcd", setting: str(file)}))
    assert setting in str(caught.value)
    assert "hunter2" not in str(caught.value)


def moments(lines):
    """Seconds of a day at which systemd fires; nothing twice."""
    found = []
    for line in lines:
        parts = re.fullmatch(r"\*-\*-\* (\S+):(\S+):(\S+) UTC", line).groups()
        sizes = (24, 60, 60)
        numbers = [
            range(size) if part == "*" else map(int, part.split(",")) for part, size in zip(parts, sizes, strict=True)
        ]
        found += [hour * 3600 + minute * 60 + second for hour, minute, second in itertools.product(*numbers)]
    return sorted(found)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(INTERVALS))
def test_the_timer_fires_at_the_start_and_in_the_middle_of_every_slot(interval):
    assert Snapshots(recipients=(RECIPIENT,), interval_seconds=interval).interval_seconds == interval
    assert moments(calendar(interval)) == list(range(0, 86400, interval // 2))
    midnight = datetime(2026, 7, 1, tzinfo=UTC).timestamp()
    assert midnight % interval == 0  # slots are counted from the epoch


@pytest.mark.parametrize("interval", [10, 36, 60, 720, 21600, 86400])
def test_the_usual_calendars_are_short(interval):
    assert sum(len(line) for line in calendar(interval)) < 2500


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_systemd_understands_them():
    lines = [line for interval in (10, 60, 720, 5400) for line in calendar(interval)]
    assert subprocess.run(["systemd-analyze", "calendar", *lines], capture_output=True, check=False).returncode == 0
