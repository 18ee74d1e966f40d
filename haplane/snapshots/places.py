"""Where snapshots are kept, behind one protocol: the bucket here, members in `haplane.remote.member_snapshots`."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from haplane.agent.manifest import MANIFEST, SIGNATURE
from haplane.agent.s3 import PARTS_AT_ONCE
from haplane.agent.settings import S3Settings
from haplane.agent.store import Store
from haplane.errors import DeadlinePassed, HaplaneError, Refused
from haplane.proxies import is_exempt
from haplane.threads import Threads


@dataclass(frozen=True)
class Signed:
    """A manifest's bytes with their signature, not verified yet."""

    manifest: bytes
    signature: bytes


class Place(Protocol):
    """Every method raises HaplaneError when the place does not respond or refuses."""

    @property
    def name(self) -> str:
        """As people call it."""

    def ids(self) -> Mapping[str, bool]:
        """Every snapshot, and whether it is complete."""

    def signed(self, ids: Collection[str]) -> dict[str, Signed]:
        """Those of the manifests that can be read."""

    def digest(self, snapshot: str, part: str, most: int) -> tuple[str, int]:
        """SHA-256 and size of a part, read back whole; Refused beyond ``most`` bytes."""

    def download(self, snapshot: str, part: str, target: Path, most: int) -> None:
        """Write a part to a file here; Refused beyond ``most`` bytes, of which no more is written."""


class Bucket:
    """A cluster's snapshots in S3."""

    name = "bucket"

    def __init__(self, store: Store) -> None:
        self.store = store

    def ids(self) -> dict[str, bool]:
        return {stored.id: stored.complete for stored in self.store.snapshots()}

    def signed(self, ids: Collection[str]) -> dict[str, Signed]:
        pool = Threads(PARTS_AT_ONCE)
        try:
            found = pool.map(self._signed, ids)
            return {snapshot: signed for snapshot, signed in zip(ids, found, strict=True) if signed is not None}
        finally:  # a server that is too slow for one is not asked for the others
            pool.shutdown(wait=False, cancel_futures=True)

    def _signed(self, snapshot: str) -> Signed | None:
        try:
            return Signed(self.store.read(snapshot, MANIFEST), self.store.read(snapshot, SIGNATURE))
        except Refused:  # larger than any of ours: nobody signed it
            return Signed(b"", b"")
        except DeadlinePassed:
            raise
        except HaplaneError:
            return None

    def digest(self, snapshot: str, part: str, most: int) -> tuple[str, int]:
        return self.store.digest(snapshot, part, most)

    def download(self, snapshot: str, part: str, target: Path, most: int) -> None:
        self.store.download(snapshot, part, target, most)


def controller_store(settings: S3Settings, cluster: str) -> Store:
    """The bucket with this machine's credentials (the AWS SDK's standard chain), else with those of the settings.

    A proxy that the settings do not name is taken from this machine's environment.
    """
    import boto3  # noqa: PLC0415 - slow to import, and most commands need no bucket

    own = boto3.Session().get_credentials() is not None
    used = dataclasses.replace(settings, credentials_file=None) if own else settings
    return Store(used, cluster, environment=not is_exempt(settings.endpoint_url or ""))
