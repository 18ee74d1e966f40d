"""Whether a snapshot is what its cluster made, and what is in it. Controller only: the identity is on no host.

Everything that is read here comes from a bucket or a host and is believed only as far as it was checked: first the
signature over the manifest's bytes, then the digests that the manifest names.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyrage
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from haplane.errors import DeadlinePassed, HaplaneError, Refused
from haplane.snapshots.manifest import Manifest

RESTORE_SECONDS = 1800
NEXT_STEP = "take the next older one (`haplane snapshot list`), and find out who wrote this"


@dataclass(frozen=True)
class Contents:
    """What a restored database holds."""

    revision: int
    key_count: int


def authentic_manifest(
    content: bytes, signature: bytes, *, signing_key: str, snapshot: str, cluster: str, where: str
) -> Manifest:
    """The manifest, once it is shown to be that cluster's own of that very snapshot.

    ``signing_key`` is the base64 of the public half. Raises Refused for anything else.
    """
    if not is_signed(content, signature, signing_key):
        raise Refused(
            "this snapshot's signature is not the cluster's",
            where=where,
            why="its manifest was not written by a member of this cluster, or was changed afterwards",
            next_step=NEXT_STEP,
        )
    manifest = Manifest.from_bytes(content, where)
    if (manifest.id, manifest.cluster) != (snapshot, cluster):
        raise Refused(
            "this is another snapshot than its place says",
            where=where,
            why=f"it is {manifest.id} of the cluster {manifest.cluster}",
            next_step=NEXT_STEP,
        )
    return manifest


def is_signed(content: bytes, signature: bytes, signing_key: str) -> bool:
    """Whether that key signed exactly these bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(signing_key)).verify(signature, content)
    except InvalidSignature:
        return False
    return True


def decrypt_database(
    payload: Path, manifest: Manifest, identities: Sequence[pyrage.x25519.Identity], directory: Path
) -> Path:
    """The database file inside an encrypted payload, checked against the manifest, in ``directory`` (which is 0700).

    Raises Refused when no identity fits or the content is not what the manifest says.
    """
    where = f"{payload.name} of {manifest.id}"
    packed, database = directory / "snapshot.db.zst", directory / "snapshot.db"
    try:
        with payload.open("rb") as sealed, packed.open("wb") as plain:
            pyrage.decrypt_io(sealed, plain, list(identities))
    except (pyrage.DecryptError, OSError) as error:
        if getattr(error, "errno", None) is not None:
            raise HaplaneError("decrypting stopped", where=str(directory), why=str(error)) from None
        raise Refused(
            "the identity does not decrypt this snapshot",
            where=where,
            why="it was encrypted to other recipients, or it is damaged",
            next_step="give the identity of a recipient that the inventory had when it was taken",
        ) from None
    done = subprocess.run(
        ["zstd", "--quiet", "--decompress", "--force", str(packed), "-o", str(database)],
        capture_output=True,
        check=False,
    )
    packed.unlink()
    if done.returncode != 0:
        raise Refused("what was decrypted is damaged", where=where, why=done.stderr.decode(errors="replace").strip())
    with database.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != manifest.database_sha256:
        raise Refused("the database is not the one that was taken", where=where, why="its SHA-256 differs")
    return database


def rehearse(database: Path, etcdutl: Path, directory: Path) -> Contents:
    """Restore it into a data directory below ``directory``, and read back what is in there. Raises Refused."""
    data = directory / "restored"
    _etcdutl(etcdutl, "snapshot", "restore", str(database), "--data-dir", str(data))
    said = _etcdutl(etcdutl, "snapshot", "status", str(data / "member" / "snap" / "db"), "--write-out=json")
    try:
        found = json.loads(said)
        return Contents(int(found["revision"]), int(found["totalKey"]))
    except (ValueError, LookupError, TypeError):
        raise Refused(
            "what was restored cannot be read back", where=str(data), why="etcdutl said no status"
        ) from None


def _etcdutl(etcdutl: Path, *words: str) -> bytes:
    command = f"etcdutl {words[0]} {words[1]}"
    try:
        done = subprocess.run([str(etcdutl), *words], capture_output=True, timeout=RESTORE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise DeadlinePassed(f"{command} did not end within {RESTORE_SECONDS} s") from None
    except OSError as error:
        raise HaplaneError(f"{command} cannot be run here", where=str(etcdutl), why=str(error)) from None
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise Refused("the snapshot does not restore", where=command, why=lines[-1] if lines else None)
    return done.stdout
