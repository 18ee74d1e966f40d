"""The snapshots that a member keeps, read over SSH: a :class:`haplane.snapshots.places.Place`."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

from haplane.config.model import Host
from haplane.errors import DeadlinePassed, Refused
from haplane.remote.openssh import ended, failed, read_files, run, ssh_command
from haplane.snapshots.manifest import MANIFEST, PARTS, SIGNATURE, SnapshotId
from haplane.snapshots.places import Signed

HASH_SECONDS = 1800
FIND = r'test ! -d "$1" || find "$1/" -mindepth 2 -maxdepth 2 -type f -printf "%P\n"'


class Member:
    """``directory`` is where it keeps them."""

    def __init__(self, host: Host, directory: str) -> None:
        self.name = host.name
        self._host = host
        self._directory = directory

    def ids(self) -> dict[str, bool]:
        listed = run(self._host, "sh", "-c", FIND, "sh", self._directory).decode(errors="replace")
        parts: dict[str, set[str]] = defaultdict(set)
        for line in listed.splitlines():
            snapshot, _, part = line.partition("/")
            if part in PARTS and _is_id(snapshot):
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

    def digest(self, snapshot: str, part: str) -> tuple[str, int]:
        path = self._path(snapshot, part)
        script = 'sha256sum < "$1" && stat -c %s "$1"'
        said = run(self._host, "sh", "-c", script, "sh", path, deadline_seconds=HASH_SECONDS).decode().split()
        try:
            return said[0], int(said[2])
        except (IndexError, ValueError):
            raise failed(self._host, "sha256sum", "it gave no digest") from None

    def download(self, snapshot: str, part: str, target: Path) -> None:
        command = ssh_command(self._host, "cat", self._path(snapshot, part))
        with target.open("xb") as file:
            try:
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.PIPE,
                    timeout=HASH_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise DeadlinePassed(f"{self.name} did not send {snapshot} within {HASH_SECONDS} s") from None
        if done.returncode != 0:
            raise ended(self._host, "cat", done.returncode, done.stderr)

    def _path(self, snapshot: str, part: str) -> str:
        return f"{self._directory}/{SnapshotId.parse(snapshot)}/{part}"


def _is_id(text: str) -> bool:
    try:
        return bool(SnapshotId.parse(text))
    except Refused:
        return False
