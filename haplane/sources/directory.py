"""One snapshot's directory, copied to this machine from a member or a bucket."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection
from pathlib import Path

from haplane.errors import BadInput
from haplane.snapshots.manifest import MANIFEST, MAX_BYTES, SIGNATURE
from haplane.snapshots.places import Signed


class Directory:
    """A :class:`haplane.snapshots.places.Place` with that one snapshot."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    def part(self, name: str) -> bytes:
        """A small part. Raises BadInput when it is absent."""
        try:
            with (self._path / name).open("rb") as file:
                return file.read(MAX_BYTES + 1)
        except OSError as error:
            raise BadInput(
                "this is no snapshot's directory",
                where=str(self._path / name),
                why=error.strerror,
                next_step="copy the whole directory of a snapshot; an etcd snapshot's file can be given by itself",
            ) from None

    def ids(self) -> dict[str, bool]:
        return {self._path.name: (self._path / SIGNATURE).is_file()}

    def signed(self, ids: Collection[str]) -> dict[str, Signed]:
        return dict.fromkeys(ids, Signed(self.part(MANIFEST), self.part(SIGNATURE)))

    def digest(self, snapshot: str, part: str) -> tuple[str, int]:
        with (self._path / part).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), (self._path / part).stat().st_size

    def download(self, snapshot: str, part: str, target: Path) -> None:
        try:
            shutil.copyfile(self._path / part, target)
        except OSError as error:
            raise BadInput(
                "a part of the snapshot is absent", where=str(self._path / part), why=error.strerror
            ) from None
