"""The parts of a snapshot fetched, decrypted and unpacked on this machine: the identity is on no host.

Everything that is read comes from a bucket or a host and is untrusted until it is checked: first the signature over
the manifest's bytes (signatures.py), then the digests in the manifest.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pyrage
from gevent import get_hub

from haplane.agent.budget import mebibytes
from haplane.agent.manifest import KEYS, MOST_BYTES, PAYLOAD, Manifest
from haplane.errors import DeadlinePassed, HaplaneError, Refused
from haplane.snapshots.places import Place
from haplane.snapshots.signatures import NEXT_STEP

UNPACK_SECONDS = 1800
PIECE_BYTES = 1 << 20
UNPACK = ("zstd", "--quiet", "--decompress", "--stdout", "--")


def fetch(place: Place, manifest: Manifest, part: str, directory: Path) -> Path:
    """Download payload or keys into ``directory``. Raises Refused unless size and SHA-256 are what was signed."""
    digest, most = {
        PAYLOAD: (manifest.payload_sha256, manifest.payload_bytes),
        KEYS: (manifest.keys.sha256, MOST_BYTES[KEYS]),
    }[part]
    target = directory / part
    try:
        place.download(manifest.id, part, target, most)
    except OSError as error:
        raise HaplaneError(
            "a part of the snapshot cannot be stored on this machine",
            where=str(target),
            why=error.strerror,
            next_step="make room there, or set TMPDIR to a directory of a larger file system",
        ) from None
    with target.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != digest:
        target.unlink()
        raise Refused(
            f"{part} is not what was signed",
            where=f"{place.name}: {manifest.id}",
            why="it is incomplete, or was changed by somebody who cannot sign for the cluster",
            next_step=NEXT_STEP,
        )
    return target


def decrypt_database(
    payload: Path, manifest: Manifest, identities: Sequence[pyrage.x25519.Identity], directory: Path
) -> Path:
    """The database file inside an encrypted payload, checked against the manifest, in ``directory`` (which is 0700).

    No more is written than the manifest says. Raises Refused when no identity fits or the content is something else.
    """
    where = f"{payload.name} of {manifest.id}"
    packed, database = directory / "snapshot.db.zst", directory / "snapshot.db"
    _refuse_full_disk(directory, payload.stat().st_size + manifest.database_bytes, where)
    try:
        # Apart: a signal ends the wait for it, and then nothing waits for a file that it still reads.
        with payload.open("rb", buffering=0) as sealed, packed.open("wb", buffering=0) as plain:
            get_hub().threadpool.apply(pyrage.decrypt_io, (sealed, plain, list(identities)))
    except (pyrage.DecryptError, OSError) as error:
        if getattr(error, "errno", None) is not None:
            raise HaplaneError("decrypting failed", where=str(directory), why=str(error)) from None
        raise Refused(
            "the identity does not decrypt this snapshot",
            where=where,
            why="it was encrypted to other recipients, or it is damaged",
            next_step="give the identity of a recipient that the inventory had when it was taken",
        ) from None
    try:
        digest = _unpack(packed, database, manifest.database_bytes, where)
    except OSError as error:
        raise HaplaneError("unpacking failed", where=str(directory), why=str(error)) from None
    packed.unlink()
    if digest != manifest.database_sha256:
        raise Refused("the database is not the one that was taken", where=where, why="its SHA-256 differs")
    return database


def _refuse_full_disk(directory: Path, needed: int, where: str) -> None:
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise Refused(
            "there is not enough free space to decrypt and unpack this snapshot",
            where=where,
            why=f"{mebibytes(needed)} are needed, {mebibytes(free)} are free in {directory}",
            next_step="make room there, or set TMPDIR to a directory of a larger file system",
        )


def _unpack(packed: Path, database: Path, most: int, where: str) -> str:
    """Decompress to ``database``; its SHA-256. Raises Refused as soon as it is more than ``most`` bytes."""
    summary, size, give_up_at = hashlib.sha256(), 0, time.monotonic() + UNPACK_SECONDS
    with (
        subprocess.Popen([*UNPACK, str(packed)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as zstd,
        database.open("wb") as target,
    ):
        try:
            while zstd.stdout is not None and (piece := zstd.stdout.read(PIECE_BYTES)):
                size += len(piece)
                if size > most:
                    raise Refused("it unpacks to more than was signed", where=where, why=f"more than {most} bytes")
                if time.monotonic() > give_up_at:
                    raise DeadlinePassed(f"unpacking did not end within {UNPACK_SECONDS} s", where=where)
                summary.update(piece)
                target.write(piece)
        except BaseException:
            zstd.kill()
            raise
    if zstd.returncode != 0:
        raise Refused("the decrypted payload is damaged", where=where, why=f"zstd: exit {zstd.returncode}")
    return summary.hexdigest()
