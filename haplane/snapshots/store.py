"""A bucket of snapshots: the objects ``[PREFIX/]CLUSTER/ID/PART``, through boto3.

The agent needs the right to put and get objects; deleting is the controller's. Everything has a deadline; what the
server says is untrusted and only its error code is repeated. What is stored is read back with GET and hashed: an ETag
is no checksum of a multipart object, and HEAD says what the server believes, not what it would give back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import secrets
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from haplane.errors import DeadlinePassed, HaplaneError, Refused, Unreachable
from haplane.snapshots.manifest import ID, PARTS, SIGNATURE
from haplane.snapshots.s3 import ATTEMPTS, PARTS_AT_ONCE, NotStored, client, translated
from haplane.snapshots.settings import S3Settings

PART_BYTES = 8 << 20
CHUNK_BYTES = 256 << 10
SMALL_BYTES = 16 << 20
SLOWEST_BYTES_PER_SECOND = 256 << 10
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class StoredSnapshot:
    """What the bucket lists under one id. ``parts`` maps each part to its size in bytes."""

    id: str
    parts: dict[str, int]

    @property
    def complete(self) -> bool:
        """Whether it has its signature, and so is a snapshot at all."""
        return SIGNATURE in self.parts


@dataclass(frozen=True)
class Upload:
    """A multipart upload that was begun: what it takes to abort it later."""

    key: str
    upload_id: str


class Store:
    """One cluster's snapshots in one bucket.

    Every method raises Unreachable when the server does not answer, DeadlinePassed when it answers too slowly,
    NotStored when what is asked for is not there, BadInput when the settings cannot be right (bucket, credentials),
    and HaplaneError, with the server's error code, when it refuses.
    """

    def __init__(self, settings: S3Settings, cluster: str) -> None:
        self.settings = settings
        self._base = "/".join(word for word in (settings.prefix.strip("/"), cluster) if word) + "/"

    @cached_property
    def _s3(self) -> Any:
        with self._translated("?"):
            return client(self.settings)

    def put_file(self, snapshot: str, part: str, path: Path, begun: Callable[[Upload], None] | None = None) -> None:
        """Upload a file in parts of 8 MiB, two at a time. What fails is aborted; ``begun`` is told what to abort."""
        key = self._key(snapshot, part)
        with path.open("rb") as file, self._translated(key):
            size = os.fstat(file.fileno()).st_size
            if size <= PART_BYTES:
                self._s3.put_object(Bucket=self.settings.bucket, Key=key, Body=file)
                return
            begin = self._s3.create_multipart_upload(Bucket=self.settings.bucket, Key=key)
            upload = Upload(key, begin["UploadId"])
            if begun is not None:
                begun(upload)
            try:
                parts = self._put_parts(upload, file, size)
                self._complete(upload, parts)
            except BaseException:
                with contextlib.suppress(HaplaneError):  # the first failure is the one to tell
                    self.abort(upload)
                raise

    def put_bytes(self, snapshot: str, part: str, content: bytes) -> None:
        """Upload a small object at once."""
        self._put(self._key(snapshot, part), content)

    def read(self, snapshot: str, part: str) -> bytes:
        """A small object's content; Refused for one above 16 MiB."""
        return self._get(self._key(snapshot, part))

    def digest(self, snapshot: str, part: str) -> tuple[str, int]:
        """SHA-256 and size of an object, read back whole and kept nowhere."""
        return self._streamed(self._key(snapshot, part), None)

    def download(self, snapshot: str, part: str, target: Path) -> tuple[str, int]:
        """Write an object to ``target`` (0600, temp + rename); returns its SHA-256 and size."""
        temporary = target.with_name(target.name + ".haplane-new")
        temporary.unlink(missing_ok=True)
        temporary.touch(0o600)
        try:
            with temporary.open("wb") as file:
                found = self._streamed(self._key(snapshot, part), file)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        return found

    def snapshots(self) -> tuple[StoredSnapshot, ...]:
        """Everything under an id of ours, oldest first, the incomplete among them; foreign objects are left out."""
        found: dict[str, dict[str, int]] = defaultdict(dict)
        with self._translated(self._base):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.settings.bucket, Prefix=self._base)
            for item in (item for page in pages for item in page.get("Contents", ())):
                snapshot, _, part = item["Key"].removeprefix(self._base).partition("/")
                if ID.fullmatch(snapshot) and part in PARTS:
                    found[snapshot][part] = item["Size"]
        return tuple(StoredSnapshot(snapshot, parts) for snapshot, parts in sorted(found.items()))

    def delete(self, snapshot: str) -> None:
        """Remove a snapshot, its signature first. For the controller only."""
        for part in reversed(PARTS):
            key = self._key(snapshot, part)
            with self._translated(key):
                self._s3.delete_object(Bucket=self.settings.bucket, Key=key)

    def abort(self, upload: Upload) -> None:
        """Give up a multipart upload; one that is gone already is no error."""
        with contextlib.suppress(NotStored), self._translated(upload.key):
            self._s3.abort_multipart_upload(Bucket=self.settings.bucket, Key=upload.key, UploadId=upload.upload_id)

    def uploads(self) -> tuple[Upload, ...]:
        """Multipart uploads of this cluster that nobody completed. For the controller (needs the right to list)."""
        with self._translated(self._base):
            pages = self._s3.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.settings.bucket, Prefix=self._base
            )
            return tuple(Upload(item["Key"], item["UploadId"]) for page in pages for item in page.get("Uploads", ()))

    def check(self, member: str) -> None:
        """Put ``CLUSTER/probe-MEMBER`` and read it back."""
        content = secrets.token_bytes(32)
        key = f"{self._base}probe-{member}"
        self._put(key, content)
        if self._get(key) != content:
            raise HaplaneError(
                "what was put into the bucket is not what comes back",
                where=self._where(key),
                next_step="look at what stands between: a cache, or several servers that do not agree",
            )

    def _key(self, snapshot: str, part: str) -> str:
        if not ID.fullmatch(snapshot) or part not in PARTS:
            raise Refused("this is not a part of a snapshot", where=f"{snapshot!r:.100}, {part!r:.40}")
        return f"{self._base}{snapshot}/{part}"

    def _where(self, key: str) -> str:
        return f"s3://{self.settings.bucket}/{key} at {self.settings.endpoint_url or 'AWS'}"

    def _put(self, key: str, content: bytes) -> None:
        with self._translated(key):
            self._s3.put_object(Bucket=self.settings.bucket, Key=key, Body=content)

    def _get(self, key: str) -> bytes:
        with self._translated(key):
            answer = self._s3.get_object(Bucket=self.settings.bucket, Key=key)
            content: bytes = answer["Body"].read(SMALL_BYTES + 1)
        if len(content) > SMALL_BYTES:
            raise Refused(
                "an object is far too large", where=self._where(key), why=f"it has more than {SMALL_BYTES} bytes"
            )
        return content

    def _put_parts(self, upload: Upload, file: IO[bytes], size: int) -> list[dict[str, Any]]:
        give_up_at = _deadline(size)

        def put(number: int) -> dict[str, Any]:
            self._refuse_late(give_up_at, upload.key)
            answer = self._s3.upload_part(
                Bucket=self.settings.bucket,
                Key=upload.key,
                UploadId=upload.upload_id,
                PartNumber=number + 1,
                Body=os.pread(file.fileno(), PART_BYTES, number * PART_BYTES),
            )
            return {"PartNumber": number + 1, "ETag": answer["ETag"]}

        pool = ThreadPoolExecutor(PARTS_AT_ONCE)
        try:
            return list(pool.map(put, range(-(-size // PART_BYTES))))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _complete(self, upload: Upload, parts: list[dict[str, Any]]) -> None:
        with contextlib.suppress(NotStored), self._translated(upload.key):
            # An upload that is not there any more: the first try arrived and its answer was lost, or somebody aborted
            # it. The caller reads the object back and so knows which.
            self._s3.complete_multipart_upload(
                Bucket=self.settings.bucket,
                Key=upload.key,
                UploadId=upload.upload_id,
                MultipartUpload={"Parts": parts},
            )

    def _streamed(self, key: str, target: IO[bytes] | None) -> tuple[str, int]:
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(Unreachable):
                return self._streamed_once(key, target)
        return self._streamed_once(key, target)

    def _streamed_once(self, key: str, target: IO[bytes] | None) -> tuple[str, int]:
        summary, size = hashlib.sha256(), 0
        if target is not None:
            target.seek(0)
            target.truncate()
        with self._translated(key):
            answer = self._s3.get_object(Bucket=self.settings.bucket, Key=key)
            give_up_at = _deadline(answer["ContentLength"])
            for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):
                self._refuse_late(give_up_at, key)
                summary.update(chunk)
                size += len(chunk)
                if target is not None:
                    target.write(chunk)
        return summary.hexdigest(), size

    def _refuse_late(self, give_up_at: float, key: str) -> None:
        if time.monotonic() > give_up_at:
            raise DeadlinePassed(
                "the S3 server is too slow",
                where=self._where(key),
                why=f"less than {SLOWEST_BYTES_PER_SECOND >> 10} KiB/s",
                next_step="look at the line to it; the snapshots on the member itself are complete",
            )

    def _translated(self, key: str) -> AbstractContextManager[None]:
        return translated(self._where(key), self.settings)


def controller_store(settings: S3Settings, cluster: str) -> Store:
    """The store with the controller's own credentials (standard chain) where it has any, else the settings' file."""
    import boto3  # noqa: PLC0415 - see s3.py

    own = boto3.Session().get_credentials() is not None
    return Store(dataclasses.replace(settings, credentials_file=None) if own else settings, cluster)


def _deadline(size: int) -> float:
    return time.monotonic() + PATIENCE_SECONDS + size / SLOWEST_BYTES_PER_SECOND
