"""What is on a member's own disk."""

from datetime import UTC, datetime
from pathlib import Path

from haplane.snapshots.local import LocalSnapshots
from haplane.snapshots.manifest import SnapshotId


def test_a_second_in_which_one_was_taken_is_waited_out(tmp_path: Path) -> None:
    taken_at = datetime.now(UTC)
    (tmp_path / str(SnapshotId(taken_at, "m1", 6))).mkdir()
    LocalSnapshots(tmp_path).wait_for_a_second_of_its_own()
    assert str(SnapshotId(datetime.now(UTC), "m1", 6)) > str(SnapshotId(taken_at, "m1", 6))
