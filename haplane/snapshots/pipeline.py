"""How one snapshot is made: :func:`take` reads as the list of its steps."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from haplane.errors import DeadlinePassed, HaplaneError, Refused
from haplane.snapshots import processes
from haplane.snapshots.etcd import Database, Etcd, Noted, View, scratch_restore
from haplane.snapshots.local import LocalSnapshots, write_file
from haplane.snapshots.manifest import KEYS, MANIFEST, PAYLOAD, SIGNATURE, Manifest, SealedKeys, SnapshotId
from haplane.snapshots.payload import Packed, pack
from haplane.snapshots.settings import AgentSettings, HostPaths
from haplane.snapshots.store import PATIENCE_SECONDS, SLOWEST_BYTES_PER_SECOND, Store
from haplane.snapshots.unfinished import UnfinishedUpload

SIGN_SECONDS = 10


@dataclass(frozen=True)
class Outcome:
    """A signed snapshot on this disk, and what kept it from being in the bucket too."""

    manifest: Manifest
    failure: HaplaneError | None


@dataclass(frozen=True)
class Beginning:
    """What was known before anything was saved; ``noted`` is None without quorum."""

    taken_at: datetime
    noted: Noted | None
    uid: str | None


@dataclass(frozen=True)
class Made:
    """All that its manifest says of a snapshot."""

    id: str
    beginning: Beginning
    database: Database
    packed: Packed
    keys: SealedKeys
    steps: Steps


class Steps(dict[str, float]):
    """Seconds by step."""

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Count what happens inside as this step."""
        began = time.monotonic()
        yield
        self[step] = round(time.monotonic() - began, 3)


def take(settings: AgentSettings, etcd: Etcd, view: View, local: LocalSnapshots, store: Store | None) -> Outcome:
    """Make one snapshot. Raises HaplaneError, and leaves nothing, when it cannot be made on this disk."""
    steps = Steps()
    keys, sealed = sealed_keys(settings.paths)
    local.refuse_to_fill(view.database_bytes, settings.max_bytes)
    with local.workspace() as work:
        with steps.timed("read_revision"):
            local.wait_for_a_second_of_its_own()
            beginning = begin(etcd)
        with steps.timed("save"):
            etcd.save(work / "saved.db", view.database_bytes)
        with steps.timed("verify_and_pack"):
            database, packed = verify_and_pack(work, settings.recipients)
        snapshot = str(SnapshotId(beginning.taken_at, settings.member, database.revision))
        with steps.timed("place"):
            place = local.place({PAYLOAD: work / PAYLOAD}, {KEYS: sealed}, snapshot)
        failure = upload(steps, store, snapshot, place, {PAYLOAD: packed.payload_sha256, KEYS: keys.sha256})
        made = Made(snapshot, beginning, database, packed, keys, steps)
        manifest = describe(settings, view, made)
        content = manifest.to_bytes()
        signature = sign(content, work, settings.paths)
    local.sign(snapshot, content, signature)
    return Outcome(manifest, failure or publish(store, snapshot, content, signature))


def begin(etcd: Etcd) -> Beginning:
    """The revision that the snapshot must reach, and whose data it is."""
    noted = etcd.read_through_quorum()
    return Beginning(datetime.now(UTC).replace(microsecond=0), noted, etcd.kubernetes_uid())


def verify_and_pack(work: Path, recipients: tuple[str, ...]) -> tuple[Database, Packed]:
    """Restore ``work/saved.db`` on the side while it is packed; afterwards nothing plain is left."""
    saved, scratch = work / "saved.db", work / "scratch"
    with ThreadPoolExecutor(1) as beside:
        restoring = beside.submit(scratch_restore, saved, scratch)
        packed = pack(saved, work / PAYLOAD, recipients)
        database = restoring.result()
    saved.unlink()
    shutil.rmtree(scratch)
    return database, packed


def upload(
    steps: Steps, store: Store | None, snapshot: str, place: Path, digests: dict[str, str]
) -> HaplaneError | None:
    """Payload and keys into the bucket and back, hashed; what failed, for the snapshot here is good without it."""
    if store is None:
        return None
    unfinished = UnfinishedUpload(place.parent)
    seconds = 2 * PATIENCE_SECONDS + (place / PAYLOAD).stat().st_size / SLOWEST_BYTES_PER_SECOND
    try:
        with steps.timed("upload"), deadline(seconds, "the upload"):
            for part in digests:
                store.put_file(snapshot, part, place / part, begun=unfinished.remember)
            unfinished.forget()
        with steps.timed("read_back"), deadline(seconds, "reading the upload back"):
            for part, digest in digests.items():
                refuse_difference(snapshot, part, digest, store.digest(snapshot, part)[0])
    except HaplaneError as error:
        return error
    return None


def refuse_difference(snapshot: str, part: str, expected: str, found: str) -> None:
    """Raise HaplaneError when the bucket's copy has another SHA-256."""
    if found != expected:
        raise HaplaneError(
            "what the bucket gives back is not what was put there",
            where=f"{snapshot}/{part}",
            why=f"its SHA-256 is {found}, not {expected}",
            next_step="do not trust this S3 server before you know why; the snapshot on the member is whole",
        )


def describe(settings: AgentSettings, view: View, made: Made) -> Manifest:
    """The manifest. A member that lags behind the revision read before has no quorum's word for its data."""
    noted, database, packed = made.beginning.noted, made.database, made.packed
    with_quorum = noted is not None and database.revision >= noted.revision
    return Manifest(
        id=made.id,
        cluster=settings.cluster,
        uid=made.beginning.uid,
        member=settings.member,
        taken_at=made.beginning.taken_at,
        revision=database.revision,
        quorum_revision=noted.revision if noted is not None and with_quorum else None,
        key_count=database.key_count,
        database_sha256=packed.database_sha256,
        database_bytes=packed.database_bytes,
        payload_sha256=packed.payload_sha256,
        payload_bytes=packed.payload_bytes,
        etcd_version=view.version,
        kubernetes_version=settings.kubernetes_version,
        keys=made.keys,
        seconds=made.steps,
    )


def sign(content: bytes, work: Path, paths: HostPaths) -> bytes:
    """The raw Ed25519 signature, by openssl: Python's standard library has none."""
    unsigned = work / MANIFEST
    write_file(unsigned, content)
    command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", paths.signing_key, "-in", str(unsigned)]
    return processes.run(command, seconds=SIGN_SECONDS)


def publish(store: Store | None, snapshot: str, manifest: bytes, signature: bytes) -> HaplaneError | None:
    """The last two objects; with the signature it is a snapshot there too."""
    if store is None:
        return None
    try:
        store.put_bytes(snapshot, MANIFEST, manifest)
        store.put_bytes(snapshot, SIGNATURE, signature)
    except HaplaneError as error:
        return error
    return None


def sealed_keys(paths: HostPaths) -> tuple[SealedKeys, bytes]:
    """The cluster's sealed keys and their facts. Raises Refused when they are absent or do not fit each other."""
    try:
        facts = json.loads(Path(paths.sealed_keys_facts).read_bytes())
        content = Path(paths.sealed_keys).read_bytes()
        sealed = SealedKeys(str(facts["fingerprint"]), str(facts["sha256"]))
        if hashlib.sha256(content).hexdigest() != sealed.sha256:
            raise ValueError(f"their SHA-256 is not the one in {paths.sealed_keys_facts}")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Refused(
            "the cluster's sealed keys are not usable",
            where=paths.sealed_keys,
            why=str(error),
            next_step="run `haplane up`: without them a snapshot could not be restored onto new machines",
        ) from error
    return sealed, content


class _Late(BaseException):
    """No library takes it for an error of its own and tries again."""


@contextmanager
def deadline(seconds: float, what: str) -> Iterator[None]:
    """Raise DeadlinePassed in the middle of whatever hangs. For the main thread."""

    def late(*_: object) -> NoReturn:
        raise _Late

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _Late:
        raise DeadlinePassed(f"{what} did not end in {seconds:.0f} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
