"""The snapshots that a member keeps, read over SSH: a :class:`haplane.snapshots.places.Place`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

from haplane.agent.manifest import MANIFEST, PARTS, SIGNATURE, SnapshotId, is_snapshot_id
from haplane.config.model import Host
from haplane.errors import DeadlinePassed
from haplane.remote.executions import executing
from haplane.remote.openssh import ended, failed, logged, read_files, run, ssh_command
from haplane.scripts import script
from haplane.snapshots.places import Signed
from haplane.streams import save

HASH_SECONDS = 1800


class MemberSnapshots:
    """``directory`` is where the member keeps them."""

    def __init__(self, host: Host, directory: str) -> None:
        self.name = host.name
        self._host = host
        self._directory = directory

    def ids(self) -> dict[str, bool]:
        listed = run(self._host, "sh", "-c", script("list_snapshots", directory=self._directory)).decode(
            errors="replace"
        )
        parts: dict[str, set[str]] = defaultdict(set)
        for line in listed.splitlines():
            snapshot, _, part = line.partition("/")
            if part in PARTS and is_snapshot_id(snapshot):
                parts[snapshot].add(part)
        return {snapshot: found == set(PARTS) for snapshot, found in parts.items()}

    def signed(self, ids: Collection[str]) -> dict[str, Signed]:
        paths = {(each, part): self._path(each, part) for each in ids for part in (MANIFEST, SIGNATURE)}
        found = read_files(self._host, paths.values()) if paths else {}
        return {
            each: Signed(found[paths[each, MANIFEST]], found[paths[each, SIGNATURE]])
            for each in ids
            if paths[each, MANIFEST] in found and paths[each, SIGNATURE] in found
        }

    def digest(self, snapshot: str, part: str, most: int) -> tuple[str, int]:
        path = self._path(snapshot, part)
        done = run(self._host, "sh", "-c", script("digest_file", file=path), deadline_seconds=HASH_SECONDS)
        try:
            digest, _, size = done.decode().split()
            return digest, int(size)
        except ValueError:
            raise failed(self._host, "sha256sum", "its output is not a digest") from None

    def download(self, snapshot: str, part: str, target: Path, most: int) -> None:
        command = ssh_command(self._host, "cat", self._path(snapshot, part))
        try:
            with executing(self.name, f"cat {self._path(snapshot, part)}") as execution:
                done = save(command, target, deadline_seconds=HASH_SECONDS, most=most)
                execution.code, execution.output = done.code, logged(done)
        except TimeoutError:
            raise DeadlinePassed(f"{self.name} did not send {snapshot} within {HASH_SECONDS} s") from None
        if done.cut is not None:
            raise failed(self._host, "cat", done.cut)
        if done.code != 0:
            raise ended(self._host, "cat", done.code, done.stderr)

    def _path(self, snapshot: str, part: str) -> str:
        return f"{self._directory}/{SnapshotId.parse(snapshot)}/{part}"
