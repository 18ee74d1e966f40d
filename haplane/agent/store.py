"""A bucket of snapshots: the objects ``[PREFIX/]CLUSTER/ID/PART``.

The agent needs the right to put and get objects; only the controller deletes. Everything has a deadline; responses
are untrusted, and only the error code of one is repeated. What is stored is read back with GET and hashed: an ETag
is no checksum of a multipart object, and HEAD returns what the server has recorded, not what it would send.
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from haplane.agent.manifest import MOST_BYTES, PARTS, SIGNATURE, TIME, is_snapshot_id
from haplane.agent.objects import Objects, Upload
from haplane.agent.s3 import unusable_response
from haplane.agent.settings import S3Settings
from haplane.errors import HaplaneError, Refused

PROBE_BYTES = 32
MOST_OBJECTS = 1_000_000
"""A listing ends there; snapshots of every minute, never pruned, are that many after half a year."""
LISTING_SECONDS = 300
LISTING_FIELDS = frozenset({"IsTruncated", "KeyCount", "Name", "Contents"})
"""A response without any of them, as a proxy's own page, does not show that a bucket is empty."""

RECENT = timedelta(days=14)


@dataclass(frozen=True)
class ListedSnapshot:
    """What the bucket lists under one id. ``parts`` maps each part to its size in bytes."""

    id: str
    parts: dict[str, int]

    @property
    def complete(self) -> bool:
        """Whether it has its signature, without which it is no snapshot."""
        return SIGNATURE in self.parts


class Store:
    """One cluster's snapshots in one bucket. Every method raises what those of :class:`Objects` do."""

    def __init__(self, settings: S3Settings, cluster: str, *, environment: bool = False) -> None:
        self.settings = settings
        self.unlisted: str | None = None
        """Why the last listing left something out, None when it did not."""
        self._objects = Objects(settings, environment=environment)
        self._base = "/".join(word for word in (settings.prefix.strip("/"), cluster) if word) + "/"

    def put_file(self, snapshot: str, part: str, path: Path, begun: Callable[[Upload], None] | None = None) -> None:
        """Upload a part; ``begun`` gets what to abort if it is interrupted."""
        self._objects.put_file(self._key(snapshot, part), path, begun)

    def put_bytes(self, snapshot: str, part: str, content: bytes) -> None:
        """Upload a small part in one request."""
        self._objects.put(self._key(snapshot, part), content)

    def read(self, snapshot: str, part: str) -> bytes:
        """A small part's content; Refused for one above its :data:`MOST_BYTES`."""
        return self._objects.get(self._key(snapshot, part), MOST_BYTES[part])

    def digest(self, snapshot: str, part: str, most: int) -> tuple[str, int]:
        """SHA-256 and size of an object, which is read whole and not kept. Refused beyond ``most`` bytes."""
        return self._objects.stream(self._key(snapshot, part), None, most)

    def download(self, snapshot: str, part: str, target: Path, most: int) -> tuple[str, int]:
        """Write an object to ``target`` (0600, temp + rename); returns its SHA-256 and size.

        Refused beyond ``most`` bytes, of which no more is written.
        """
        temporary = target.with_name(target.name + ".haplane-new")
        temporary.unlink(missing_ok=True)
        temporary.touch(0o600)
        try:
            with temporary.open("wb") as file:
                found = self._objects.stream(self._key(snapshot, part), file, most)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        return found

    def snapshots(self) -> tuple[ListedSnapshot, ...]:
        """Every snapshot, oldest first, incomplete ones included; other objects are left out.

        Of a bucket that holds too much, the oldest and those of the last days; ``unlisted`` is set then.
        """
        found: dict[str, dict[str, int]] = defaultdict(dict)
        self.unlisted = self._list(found)
        if self.unlisted is not None:
            recent = (datetime.now(UTC) - RECENT).strftime(TIME)
            self._list(found, StartAfter=self._base + recent)
        return tuple(ListedSnapshot(snapshot, parts) for snapshot, parts in sorted(found.items()))

    def _list(self, found: dict[str, dict[str, int]], **where: str) -> str | None:
        """Add what is listed to ``found``. Returns why it was not everything, None when it was."""
        from botocore.exceptions import PaginationError  # noqa: PLC0415 - see s3.py

        give_up_at, looked_at = time.monotonic() + LISTING_SECONDS, 0
        with self._objects.translated(self._base), suppress(PaginationError):  # it sends one page again and again
            pages = self._objects.s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.settings.bucket, Prefix=self._base, **where
            )
            for page in pages:
                if not page.keys() & LISTING_FIELDS:
                    raise unusable_response(self._objects.where(self._base), "it is not a listing")
                for item in page.get("Contents", ()):
                    looked_at += 1
                    snapshot, _, part = str(item.get("Key", "")).removeprefix(self._base).partition("/")
                    if part in PARTS and is_snapshot_id(snapshot):
                        found[snapshot][part] = int(item.get("Size", 0))
                if looked_at >= MOST_OBJECTS:
                    return f"it has more than {MOST_OBJECTS} objects: prune it, or add a lifecycle rule"
                if time.monotonic() > give_up_at:
                    return f"listing it takes more than {LISTING_SECONDS} s"
        if page.get("IsTruncated"):
            return "the server reports more objects, but not how to list them"
        return None

    def delete(self, snapshot: str) -> None:
        """Remove a snapshot, its signature first. The controller alone does."""
        for part in reversed(PARTS):
            key = self._key(snapshot, part)
            with self._objects.translated(key):
                self._objects.s3.delete_object(Bucket=self.settings.bucket, Key=key)

    def abort(self, upload: Upload) -> None:
        """Abort a multipart upload; one that is gone already is no error."""
        self._objects.abort(upload)

    def check(self, member: str) -> None:
        """Put ``CLUSTER/probe-MEMBER`` and read it back."""
        content = secrets.token_bytes(PROBE_BYTES)
        key = f"{self._base}probe-{member}"
        self._objects.put(key, content)
        if self._objects.get(key, PROBE_BYTES) != content:
            raise HaplaneError(
                "the bucket returned other data than was uploaded",
                where=self._objects.where(key),
                next_step="check what is in front of it: a cache, or several servers that differ",
            )

    def _key(self, snapshot: str, part: str) -> str:
        if part not in PARTS or not is_snapshot_id(snapshot):
            raise Refused("this is not a part of a snapshot", where=f"{snapshot!r:.100}, {part!r:.40}")
        return f"{self._base}{snapshot}/{part}"
