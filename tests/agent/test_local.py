"""What is on a member's own disk."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from haplane.agent.local import LocalSnapshots
from haplane.agent.manifest import MANIFEST, SIGNATURE, SnapshotId
from haplane.domain.retention import KeepPolicy
from haplane.errors import DeadlinePassed, Locked, Refused

from .test_manifest import GOOD


def test_a_second_in_which_one_was_taken_is_waited_out(tmp_path: Path) -> None:
    taken_at = datetime.now(UTC)
    (tmp_path / str(SnapshotId(taken_at, "m1", 6))).mkdir()
    LocalSnapshots(tmp_path).wait_for_a_second_of_its_own()
    assert str(SnapshotId(datetime.now(UTC), "m1", 6)) > str(SnapshotId(taken_at, "m1", 6))


def test_a_clock_that_meets_a_snapshot_in_every_second_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set back, say, to where somebody had taken them by hand one after the other."""
    monkeypatch.setattr("haplane.agent.local.OWN_SECOND_SECONDS", 0.0)
    for seconds in range(5):
        (tmp_path / str(SnapshotId(datetime.now(UTC) + timedelta(seconds=seconds), "m1", 6))).mkdir()
    with pytest.raises(DeadlinePassed, match="a second in which no snapshot was taken"):
        LocalSnapshots(tmp_path).wait_for_a_second_of_its_own()


def test_those_from_the_future_take_no_place_of_the_others(tmp_path: Path) -> None:
    local = LocalSnapshots(tmp_path)
    now = datetime.now(UTC).replace(microsecond=0)
    real = [now - timedelta(minutes=number) for number in range(3)]
    late = [datetime(2099, 1, 1, 0, number, tzinfo=UTC) for number in range(3)]
    for moment in real + late:
        manifest = replace(GOOD, id=str(SnapshotId(moment, "m2", 12345)), taken_at=moment, cluster="test")
        (tmp_path / manifest.id).mkdir()
        (tmp_path / manifest.id / MANIFEST).write_bytes(manifest.to_bytes())
        (tmp_path / manifest.id / SIGNATURE).write_bytes(b"")
    removed = local.prune(KeepPolicy(last=1, hourly=0, daily=0), "test", "m2")
    assert set(removed) == {str(SnapshotId(moment, "m2", 12345)) for moment in real[1:] + late[:-1]}


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    directory = tmp_path / "snapshots"
    directory.mkdir()
    (directory / ".lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"), LocalSnapshots(directory).locked():
        pass
    assert victim.read_text() == "precious"


def somebody_elses(directory: Path) -> None:
    os.chown(directory, 12345, 12345)


def in_a_directory_of_all(directory: Path) -> None:
    directory.parent.chmod(0o777)


def in_somebody_elses(directory: Path) -> None:
    os.chown(directory.parent, 12345, 12345)


def with_programs(directory: Path) -> None:
    (directory / "bash").write_text("#!")


def with_a_snapshot_and_more(directory: Path) -> None:
    (directory / "20261122T184500Z-m2-r1").mkdir()
    (directory / "20261122T184500Z-m2-r1.txt").touch()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
@pytest.mark.parametrize(
    "spoil", [somebody_elses, in_a_directory_of_all, in_somebody_elses, with_programs, with_a_snapshot_and_more]
)
def test_a_directory_that_is_not_ours_is_refused_and_left_as_it_is(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    directory = tmp_path / "above" / "snapshots"
    directory.mkdir(mode=0o755, parents=True)
    spoil(directory)
    before = [(each, each.stat()) for each in (directory, *directory.iterdir())]
    with pytest.raises(Refused, match="more than snapshots"), LocalSnapshots(directory).locked():
        pass
    assert [(each, each.stat()) for each in (directory, *directory.iterdir())] == before


def test_a_directory_of_ours_is_locked_by_one_at_a_time(tmp_path: Path) -> None:
    local = LocalSnapshots(tmp_path / "snapshots")
    local.directory.mkdir()
    for name in ("20261122T184500Z-m2-r1", ".work", "lost+found"):
        (local.directory / name).mkdir()
    (local.directory / ".upload.json").touch()
    with local.locked():
        assert local.directory.stat().st_mode & 0o777 == 0o700
        with pytest.raises(Locked), LocalSnapshots(local.directory).locked():
            pass
