"""What goes wrong while a snapshot is made ends as promised: nothing half is left, and it is told."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from haplane.agent.manifest import PAYLOAD, SIGNATURE

from .machinery import Cluster, Faults, Server, shim, wait_until
from .members import Member, Members, unfinished_uploads

pytestmark = pytest.mark.bundle

WAIT_FOR_GO = 'touch "$(dirname "$0")/waits"; while ! test -e "$(dirname "$0")/go"; do sleep 0.05; done'


def waits(member: Member) -> None:
    wait_until((member.shims / "waits").exists, "the agent has come so far")


def kept_here_and_told(member: Member, error: dict[str, str], words: str) -> str:
    """The one snapshot on this disk; the failure is everywhere where somebody looks."""
    assert words in str(error)
    state = member.state
    assert words in state["last_error"]["message"]
    assert state["last_attempt"]["outcome"] == "local-only"
    assert 'haplane_snapshot_last_attempt_success{cluster="' in member.textfile
    assert f'member="{member.settings.member}"}} 0\n' in member.textfile
    assert words in (member.root / "alarms").read_text()
    (snapshot,) = member.ids()
    assert set(member.leftovers()) <= {".upload.json"}, "the note of an aborted upload goes with the next run"
    return snapshot


def test_s3_down(large: Cluster, members: Members, rclone_server: Server) -> None:
    member = members.make(s3=replace(rclone_server.settings, endpoint_url="https://127.0.0.1:1"))
    kept_here_and_told(member, member.run("take", exit_code=3), "does not respond")
    assert member.state["last_good"] is None
    member.change(s3=rclone_server.settings)
    manifest = member.take()
    assert member.state["last_good"]["id"] == manifest.id
    assert member.state["last_error"] is None


def test_somebody_is_told_once_and_not_every_minute(cluster: Cluster, members: Members, access: object) -> None:
    member = members.make(s3=replace(access, endpoint_url="https://127.0.0.1:1"))  # type: ignore[type-var]
    for _ in range(2):
        member.run("take", exit_code=3)
    assert (member.root / "alarms").read_text().count("failed") == 1


def test_s3_fails(large: Cluster, members: Members, faulty: Server, faults: Faults) -> None:
    member = members.make(s3=faulty.settings)
    faults.always_500 = True
    kept_here_and_told(member, member.run("take", exit_code=3), "HTTP 500")
    faults.always_500 = False
    assert member.remote().snapshots() == ()


def test_wrong_credentials(cluster: Cluster, members: Members, rclone_server: Server, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("[default]\naws_access_key_id = access\naws_secret_access_key = wrong\n")
    settings = replace(rclone_server.settings, credentials_file=str(tmp_path / "wrong"))
    member = members.make(s3=settings)
    kept_here_and_told(member, member.run("take", exit_code=2), "does not allow")


def test_bucket_gone(cluster: Cluster, members: Members, server: Server) -> None:
    member = members.make(s3=replace(server.settings, bucket="gone"))
    kept_here_and_told(member, member.run("take", exit_code=2), "bucket does not exist")


def test_cut_in_mid_upload(large: Cluster, members: Members, faulty: Server, faults: Faults) -> None:
    member = members.make(s3=faulty.settings)
    faults.cut_part = 2
    kept_here_and_told(member, member.run("take", exit_code=3), "S3 server")
    assert (member.remote().snapshots(), unfinished_uploads(member.remote())) == ((), [])


def test_an_answer_that_differs(cluster: Cluster, members: Members, faulty: Server, faults: Faults) -> None:
    member = members.make(s3=faulty.settings)
    faults.spoil_gets = True
    snapshot = kept_here_and_told(member, member.run("take", exit_code=1), "than was uploaded")
    (found,) = member.remote().snapshots()
    assert (found.id, found.complete) == (snapshot, False)


def test_deletes_are_not_needed(large: Cluster, members: Members, faulty: Server, faults: Faults) -> None:
    member = members.make(s3=faulty.settings)
    faults.refuse_deletes = True
    manifest = member.take()
    assert member.remote().digest(manifest.id, PAYLOAD, manifest.payload_bytes)[0] == manifest.payload_sha256
    assert not [line for line in faults.seen if line.startswith("DELETE")]


def test_killed_in_mid_upload(large: Cluster, members: Members, faulty: Server, faults: Faults) -> None:
    member = members.make(s3=faulty.settings)
    faults.hold_parts = threading.Event()
    running = member.start("take")
    wait_until(lambda: any("partNumber=" in line for line in faults.seen), "an upload is under way")
    running.kill()
    running.communicate()
    faults.hold_parts.set()
    assert len(unfinished_uploads(member.remote())) == 1
    assert member.ids() == []
    member.run("tick")  # whoever's turn it is, it cleans up
    assert (member.remote().snapshots(), unfinished_uploads(member.remote())) == ((), [])
    assert member.leftovers() == []
    assert "interrupted" in str(member.state) or member.state["last_good"]


@pytest.mark.parametrize("number", [9, 15])
def test_stopped_in_mid_snapshot(large: Cluster, members: Members, number: int) -> None:
    member = members.make()
    shim(member.shims, "etcdutl", WAIT_FOR_GO)
    running = member.start("take")
    waits(member)
    assert (member.directory / ".work" / "saved.db").exists()
    running.send_signal(number)
    if number == 15:
        (member.shims / "go").touch()  # a helper ends with the unit's control group; here it is let go
    running.communicate(timeout=60)
    assert running.returncode != 0
    assert member.ids() == []
    (member.shims / "etcdutl").unlink()
    member.run("tick")
    assert member.leftovers() == []
    wait_until(lambda: not helpers(member), "the helpers have ended too")


def helpers(member: Member) -> str:
    listed = subprocess.run(["pgrep", "-f", str(member.directory)], capture_output=True, text=True, check=False)
    return listed.stdout


def test_two_at_once(cluster: Cluster, members: Members) -> None:
    member, other = members.make("m1"), members.make("m2")
    shim(member.shims, "etcdutl", f'{WAIT_FOR_GO}; exec "$REAL" "$@"')
    running = member.start("take")
    waits(member)
    assert "another snapshot is being taken on this host" in member.run("tick")["why"]
    cluster.etcdctl("del", "haplane/snapshot-slot")
    told = other.run("tick")
    assert told["did"] == "nothing"
    (member.shims / "go").touch()
    member.ended(running)
    assert len(member.ids()) == 1


def test_a_flipped_bit_is_caught_before_anything_is_stored(large: Cluster, members: Members, server: Server) -> None:
    member = members.make(s3=server.settings)
    flip = "printf '\\377' | dd of=\"$3\" bs=1 seek=1000000 conv=notrunc status=none"
    shim(member.shims, "etcdctl", f'"$REAL" "$@" || exit; test "$1 $2" != "snapshot save" || {flip}')
    error = member.run("take", exit_code=4)
    assert "does not match the SHA-256" in error["why"]
    assert member.ids() == member.leftovers() == []
    assert member.remote().snapshots() == ()
    assert "damaged" in member.state["last_error"]["message"]


def test_what_does_not_restore_is_no_snapshot(cluster: Cluster, members: Members) -> None:
    member = members.make()
    shim(member.shims, "etcdutl", "echo broken >&2; exit 7")
    error = member.run("take", exit_code=1)
    assert (error["error"], error["why"]) == ("`etcdutl snapshot restore` failed", "broken (exit 7)")
    assert member.ids() == member.leftovers() == []


def test_upgraded_in_place(cluster: Cluster, members: Members, rclone_server: Server, tmp_path: Path) -> None:
    member = members.make(s3=rclone_server.settings)
    versions = [tmp_path / "old", tmp_path / "new"]
    for version in versions:
        subprocess.run(["cp", "-r", member.agent, version], check=True)
    for module in ("haplane/agent/main.py", "boto3/__init__.py"):
        (versions[1] / module).write_text("raise SystemExit(99)\n")
    member.agent = tmp_path / "link"
    member.agent.symlink_to("old")
    shim(member.shims, "etcdctl", f'test -e "$(dirname "$0")/go" || {{ {WAIT_FOR_GO}; }}; exec "$REAL" "$@"')
    running = member.start("take")
    waits(member)
    (tmp_path / "next").symlink_to("new")
    (tmp_path / "next").rename(member.agent)
    (member.shims / "go").touch()
    assert (member.directory / member.ended(running)["id"] / SIGNATURE).exists()
    again = member.start("tick")
    again.communicate()
    assert again.returncode == 99, "the next run is the new one"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 MiB."""
    if os.getuid() != 0:
        pytest.skip("needs root to mount a small file system")
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300M", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def test_disk_too_full_to_begin(large: Cluster, members: Members, small_disk: Path) -> None:
    member = members.make(directory=str(small_disk / "snapshots"))
    before = member.take()
    (small_disk / "ballast").write_bytes(bytes(100 << 20))
    error = member.run("take", exit_code=4)
    assert "not enough free space" in error["error"]
    assert member.ids() == [before.id]
    assert "not enough free space" in member.state["last_error"]["message"]


def test_disk_full_on_the_way(large: Cluster, members: Members, small_disk: Path) -> None:
    member = members.make(directory=str(small_disk / "snapshots"))
    before = member.take()
    fill = f"dd if=/dev/zero of={small_disk}/ballast bs=1M status=none 2>/dev/null"
    shim(member.shims, "etcdctl", f'"$REAL" "$@" || exit; test "$1 $2" != "snapshot save" || {fill}; true')
    error = member.run("take", exit_code=1)
    assert "No space left" in str(error) or "no space left" in str(error)
    assert member.ids() == [before.id]
    assert member.leftovers() == []


def test_budget_spent(large: Cluster, members: Members) -> None:
    member = members.make()
    before = member.take()
    member.change(max_bytes=30 << 20)
    assert "max_bytes" in member.run("take", exit_code=4)["error"]
    assert member.ids() == [before.id]


def test_etcd_without_space(programs: Path, agent_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "etcd").mkdir()
    full = Cluster(programs, tmp_path / "etcd", options=("--unsafe-no-fsync", "--quota-backend-bytes=4000000"))
    full.start()
    try:
        with pytest.raises(RuntimeError, match="database space exceeded"):
            for number in range(20):
                full.put(f"/{number}", bytes(1 << 19))
        member = Members(tmp_path, full, agent_directory, "full").make()
        manifest = member.take()
        assert manifest.with_quorum
        wait_until(lambda: member.run("tick") is not None, "a tick works too")
    finally:
        full.stop()


def test_a_dead_members_deputy_takes_over(cluster: Cluster, members: Members) -> None:
    """The lease of a killed agent runs out; who waits for it goes on."""
    dead, other = members.make("m1", interval_seconds=8), members.make("m2")
    shim(dead.shims, "etcdutl", WAIT_FOR_GO)
    running = dead.start("take")
    waits(dead)
    running.kill()
    running.communicate()
    began = time.monotonic()
    other.take()
    assert time.monotonic() - began < 60
