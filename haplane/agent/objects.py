"""Objects of one bucket, put and read in bounded memory and time.

Every upload carries its MD5 (``Content-MD5``): buckets with Object Lock take none without, all servers know it, and
what was changed on the way is refused. It proves nothing against an attacker; SHA-256 and the signature do.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from haplane.agent.s3 import ATTEMPTS, PARTS_AT_ONCE, NotStored, client, translated, unusable_response
from haplane.agent.settings import S3Settings
from haplane.errors import DeadlinePassed, HaplaneError, Refused, Unreachable

PART_BYTES = 8 << 20
CHUNK_BYTES = 256 << 10
SLOWEST_BYTES_PER_SECOND = 256 << 10
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Upload:
    """A multipart upload that was begun: what is needed to abort it later."""

    key: str
    upload_id: str


class Objects:
    """By key. Every method raises Unreachable when the server does not respond, DeadlinePassed when it is too slow,
    NotStored when the object is not there, BadInput when the settings are wrong (bucket, credentials), Refused beyond
    a bound, and HaplaneError, with the server's error code, when the server refuses.
    """

    def __init__(self, settings: S3Settings, *, environment: bool = False) -> None:
        self.settings = settings
        self._environment = environment

    @cached_property
    def s3(self) -> Any:
        """The boto3 client."""
        with self.translated("?"):
            return client(self.settings, environment=self._environment)

    def put(self, key: str, content: bytes) -> None:
        """Upload small content in one request."""
        with self.translated(key):
            self.s3.put_object(
                Bucket=self.settings.bucket, Key=key, Body=content, ContentMD5=_md5(content), **self._encryption()
            )

    def put_file(self, key: str, path: Path, begun: Callable[[Upload], None] | None = None) -> None:
        """Upload a file in parts of 8 MiB, two at a time. What fails is aborted; ``begun`` gets what to abort."""
        with path.open("rb") as file, self.translated(key):
            size = os.fstat(file.fileno()).st_size
            if size <= PART_BYTES:
                self.put(key, file.read(PART_BYTES + 1))
                return
            begin = self.s3.create_multipart_upload(Bucket=self.settings.bucket, Key=key, **self._encryption())
            upload = Upload(key, self.required(begin, "UploadId", key))
            if begun is not None:
                begun(upload)
            try:
                parts = self._put_parts(upload, file, size)
                self._complete(upload, parts)
            except BaseException:
                with contextlib.suppress(HaplaneError):  # the first failure is the one to report
                    self.abort(upload)
                raise

    def abort(self, upload: Upload) -> None:
        """Abort a multipart upload; one that is gone already is no error."""
        with contextlib.suppress(NotStored), self.translated(upload.key):
            self.s3.abort_multipart_upload(Bucket=self.settings.bucket, Key=upload.key, UploadId=upload.upload_id)

    def get(self, key: str, most: int) -> bytes:
        """The whole content of a small object, Refused beyond ``most`` bytes."""
        content = bytearray()
        for piece in self._pieces(key, most):
            content += piece
        return bytes(content)

    def stream(self, key: str, target: IO[bytes] | None, most: int) -> tuple[str, int]:
        """SHA-256 and size of an object; its content goes to ``target``. Retried when the server fails."""
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(Unreachable):
                return self._stream_once(key, target, most)
        return self._stream_once(key, target, most)

    def where(self, key: str) -> str:
        """For messages."""
        return f"s3://{self.settings.bucket}/{key} at {self.settings.endpoint_url or 'AWS'}"

    def required(self, answer: Any, field: str, key: str) -> str:
        """A field that a response must have. Raises HaplaneError when it is missing."""
        value = answer.get(field)
        if not isinstance(value, str) or not value:
            raise unusable_response(self.where(key), f"it has no {field}")
        return value

    def translated(self, key: str) -> AbstractContextManager[None]:
        """What boto3 raises inside, as a HaplaneError that names the object."""
        return translated(self.where(key), self.settings)

    def _encryption(self) -> dict[str, str]:
        """The server-side encryption that the settings name."""
        named = {
            "ServerSideEncryption": self.settings.server_side_encryption,
            "SSEKMSKeyId": self.settings.kms_key_id,
        }
        return {name: value for name, value in named.items() if value}

    def _put_parts(self, upload: Upload, file: IO[bytes], size: int) -> list[dict[str, Any]]:
        give_up_at = _deadline(size)

        def put(number: int) -> dict[str, Any]:
            self._refuse_late(give_up_at, upload.key)
            content = os.pread(file.fileno(), PART_BYTES, number * PART_BYTES)
            answer = self.s3.upload_part(
                Bucket=self.settings.bucket,
                Key=upload.key,
                UploadId=upload.upload_id,
                PartNumber=number + 1,
                Body=content,
                ContentMD5=_md5(content),
            )
            return {"PartNumber": number + 1, "ETag": self.required(answer, "ETag", upload.key)}

        pool = ThreadPoolExecutor(PARTS_AT_ONCE)
        try:
            return list(pool.map(put, range(-(-size // PART_BYTES))))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _complete(self, upload: Upload, parts: list[dict[str, Any]]) -> None:
        with contextlib.suppress(NotStored), self.translated(upload.key):
            # An upload that is gone: the first attempt succeeded and its response was lost, or somebody aborted it.
            # The caller reads the object back and so learns which.
            self.s3.complete_multipart_upload(
                Bucket=self.settings.bucket,
                Key=upload.key,
                UploadId=upload.upload_id,
                MultipartUpload={"Parts": parts},
            )

    def _stream_once(self, key: str, target: IO[bytes] | None, most: int) -> tuple[str, int]:
        summary, size = hashlib.sha256(), 0
        if target is not None:
            target.seek(0)
            target.truncate()
        for piece in self._pieces(key, most):
            summary.update(piece)
            size += len(piece)
            if target is not None:
                target.write(piece)
        return summary.hexdigest(), size

    def _pieces(self, key: str, most: int) -> Iterator[bytes]:
        """An object as it arrives, within the deadline for so many bytes, ``most`` bytes together."""
        give_up_at, size = _deadline(most), 0
        with self.translated(key):
            answer = self.s3.get_object(Bucket=self.settings.bucket, Key=key)
            with contextlib.closing(answer["Body"]) as body:
                for piece in body.iter_chunks(CHUNK_BYTES):
                    self._refuse_late(give_up_at, key)
                    size += len(piece)
                    if size > most:
                        why = f"it has more than {most} bytes"
                        raise Refused("an object is larger than it may be", where=self.where(key), why=why)
                    yield piece

    def _refuse_late(self, give_up_at: float, key: str) -> None:
        if time.monotonic() > give_up_at:
            raise DeadlinePassed(
                "the S3 server is too slow",
                where=self.where(key),
                why=f"less than {SLOWEST_BYTES_PER_SECOND >> 10} KiB/s",
                next_step="check the network to it; the snapshots on the member itself are complete",
            )


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def _deadline(size: int) -> float:
    return time.monotonic() + PATIENCE_SECONDS + size / SLOWEST_BYTES_PER_SECOND
