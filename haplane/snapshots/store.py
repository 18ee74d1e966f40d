"""A bucket of snapshots: the objects ``[PREFIX/]CLUSTER/ID/PART``, through boto3.

The agent needs the right to put and get objects; deleting is the controller's. Everything has a deadline; what the
server says is untrusted and only its error code is repeated. boto3 is imported on first use: a tick that has nothing
to do does not pay for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haplane.errors import HaplaneError
from haplane.snapshots.settings import S3Settings


class NotStored(HaplaneError):
    """The object, or the snapshot, is not in the bucket."""


@dataclass(frozen=True)
class StoredSnapshot:
    """What the bucket lists under one id. ``parts`` maps each part to its size in bytes."""

    id: str
    parts: dict[str, int]

    @property
    def complete(self) -> bool:
        """Whether it has its signature, and so is a snapshot at all."""
        raise NotImplementedError


@dataclass(frozen=True)
class Upload:
    """A multipart upload that was begun: what it takes to abort it later."""

    key: str
    upload_id: str


class Store:
    """One cluster's snapshots in one bucket.

    Every method raises Unreachable when the server does not answer, DeadlinePassed when it answers too slowly,
    NotStored when what is asked for is not there, and HaplaneError, with the server's error code, when it refuses.
    """

    def __init__(self, settings: S3Settings, cluster: str) -> None:
        raise NotImplementedError

    def put_file(self, snapshot: str, part: str, path: Path, begun: Callable[[Upload], None] | None = None) -> None:
        """Upload a file in parts of 8 MiB, two at a time. What fails is aborted; ``begun`` is told what to abort."""
        raise NotImplementedError

    def put_bytes(self, snapshot: str, part: str, content: bytes) -> None:
        """Upload a small object at once."""
        raise NotImplementedError

    def read(self, snapshot: str, part: str) -> bytes:
        """A small object's content; Refused for one above 16 MiB."""
        raise NotImplementedError

    def digest(self, snapshot: str, part: str) -> tuple[str, int]:
        """SHA-256 and size of an object, read back whole and kept nowhere."""
        raise NotImplementedError

    def download(self, snapshot: str, part: str, target: Path) -> tuple[str, int]:
        """Write an object to ``target`` (0600, temp + rename); returns its SHA-256 and size."""
        raise NotImplementedError

    def snapshots(self) -> tuple[StoredSnapshot, ...]:
        """Everything under an id of ours, oldest first, the incomplete among them; foreign objects are left out."""
        raise NotImplementedError

    def delete(self, snapshot: str) -> None:
        """Remove a snapshot, its signature first. For the controller only."""
        raise NotImplementedError

    def abort(self, upload: Upload) -> None:
        """Give up a multipart upload; one that is gone already is no error."""
        raise NotImplementedError

    def uploads(self) -> tuple[Upload, ...]:
        """Multipart uploads of this cluster that nobody completed. For the controller (needs the right to list)."""
        raise NotImplementedError

    def check(self, member: str) -> None:
        """Put ``CLUSTER/probe-MEMBER`` and read it back."""
        raise NotImplementedError


def controller_store(settings: S3Settings, cluster: str) -> Store:
    """The store with the controller's own credentials (standard chain) where it has any, else the settings' file."""
    raise NotImplementedError


def client(settings: S3Settings) -> Any:
    """A boto3 client for the bucket's server."""
    raise NotImplementedError
