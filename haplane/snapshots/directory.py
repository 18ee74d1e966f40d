"""The directory of one snapshot, copied to this machine from a member or the bucket."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection
from pathlib import Path

from haplane.agent.manifest import MANIFEST, MOST_BYTES, SIGNATURE
from haplane.errors import BadInput, Refused
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
                return file.read(MOST_BYTES[name] + 1)
        except OSError as error:
            raise BadInput(
                "this is not the directory of a snapshot",
                where=str(self._path / name),
                why=error.strerror,
                next_step="copy the whole directory of the snapshot; a bare etcd snapshot is given as a file",
            ) from None

    def ids(self) -> dict[str, bool]:
        return {self._path.name: (self._path / SIGNATURE).is_file()}

    def signed(self, ids: Collection[str]) -> dict[str, Signed]:
        return dict.fromkeys(ids, Signed(self.part(MANIFEST), self.part(SIGNATURE)))

    def digest(self, snapshot: str, part: str, most: int) -> tuple[str, int]:
        with (self._path / part).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), (self._path / part).stat().st_size

    def download(self, snapshot: str, part: str, target: Path, most: int) -> None:
        source = self._path / part
        try:
            if source.stat().st_size > most:
                raise Refused(f"{part} is larger than it may be", where=str(source), why=f"more than {most} bytes")
            shutil.copyfile(source, target)
        except OSError as error:
            raise BadInput("a part of the snapshot is missing", where=str(source), why=error.strerror) from None
