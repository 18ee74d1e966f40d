"""Where snapshots are kept: the bucket here, members in :mod:`haplane.remote.kept`, asked in the same words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from haplane.errors import HaplaneError
from haplane.snapshots.manifest import MANIFEST, SIGNATURE
from haplane.snapshots.s3 import PARTS_AT_ONCE
from haplane.snapshots.store import Store


@dataclass(frozen=True)
class Signed:
    """A manifest's bytes with their signature, neither believed yet."""

    manifest: bytes
    signature: bytes


class Place(Protocol):
    """Every method raises HaplaneError when the place does not answer or refuses."""

    @property
    def name(self) -> str:
        """As people call it."""

    def ids(self) -> Mapping[str, bool]:
        """Every snapshot, and whether it is complete."""

    def signed(self, ids: Collection[str]) -> dict[str, Signed]:
        """Those of the manifests that can be read."""

    def digest(self, snapshot: str, part: str) -> tuple[str, int]:
        """SHA-256 and size of a part, read back whole."""

    def download(self, snapshot: str, part: str, target: Path) -> None:
        """Write a part to a file here."""


class Bucket:
    """A cluster's snapshots in S3."""

    name = "bucket"

    def __init__(self, store: Store) -> None:
        self.store = store

    def ids(self) -> dict[str, bool]:
        return {stored.id: stored.complete for stored in self.store.snapshots()}

    def signed(self, ids: Collection[str]) -> dict[str, Signed]:
        with ThreadPoolExecutor(PARTS_AT_ONCE) as pool:
            found = pool.map(self._signed, ids)
            return {snapshot: signed for snapshot, signed in zip(ids, found, strict=True) if signed is not None}

    def _signed(self, snapshot: str) -> Signed | None:
        try:
            return Signed(self.store.read(snapshot, MANIFEST), self.store.read(snapshot, SIGNATURE))
        except HaplaneError:
            return None

    def digest(self, snapshot: str, part: str) -> tuple[str, int]:
        return self.store.digest(snapshot, part)

    def download(self, snapshot: str, part: str, target: Path) -> None:
        self.store.download(snapshot, part, target)
