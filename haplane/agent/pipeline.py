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

from haplane.agent import processes
from haplane.agent.etcd import Database, Etcd, Noted, View, scratch_restore
from haplane.agent.failures import explained
from haplane.agent.local import LocalSnapshots, write_file
from haplane.agent.manifest import KEYS, MANIFEST, PAYLOAD, SIGNATURE, Manifest, SealedKeys, Signer, SnapshotId
from haplane.agent.objects import PATIENCE_SECONDS, SLOWEST_BYTES_PER_SECOND
from haplane.agent.payload import Packed, pack
from haplane.agent.settings import AgentSettings, HostPaths
from haplane.agent.store import Store
from haplane.agent.unfinished import UnfinishedUpload
from haplane.errors import DeadlinePassed, HaplaneError, Refused

SIGN_SECONDS = 10


@dataclass(frozen=True)
class Outcome:
    """A signed snapshot on this disk, and why it is not in the bucket too."""

    manifest: Manifest
    failure: HaplaneError | None


@dataclass(frozen=True)
class Beginning:
    """What was read before anything was saved; ``noted`` is None without quorum."""

    taken_at: datetime
    noted: Noted | None
    uid: str | None


@dataclass(frozen=True)
class Made:
    """All that goes into the manifest."""

    id: str
    beginning: Beginning
    database: Database
    packed: Packed
    keys: SealedKeys
    steps: Steps
    signer: Signer


class Steps(dict[str, float]):
    """Seconds by step."""

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the time spent inside to this step."""
        began = time.monotonic()
        yield
        self[step] = round(time.monotonic() - began, 3)


def take(settings: AgentSettings, etcd: Etcd, view: View, local: LocalSnapshots, store: Store | None) -> Outcome:
    """Take one snapshot. Raises HaplaneError, and leaves nothing behind, when it cannot be taken on this disk."""
    steps = Steps()
    keys, sealed = sealed_keys(settings.paths)
    signer = certified_signer(settings.paths)
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
        made = Made(snapshot, beginning, database, packed, keys, steps, signer)
        manifest = describe(settings, view, made)
        content = manifest.to_bytes()
        signature = sign(content, work, settings.paths)
    local.sign(snapshot, content, signature)
    return Outcome(manifest, failure or publish(store, snapshot, content, signature))


def begin(etcd: Etcd) -> Beginning:
    """The revision that the snapshot must reach, and the UID of the cluster."""
    noted = etcd.read_through_quorum()
    return Beginning(datetime.now(UTC).replace(microsecond=0), noted, etcd.kubernetes_uid())


def verify_and_pack(work: Path, recipients: tuple[str, ...]) -> tuple[Database, Packed]:
    """Restore ``work/saved.db`` while it is packed. Plain data is removed afterwards."""
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
    """Upload payload and keys, read them back and hash them. Returns what failed: the snapshot here is complete."""
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
                size = (place / part).stat().st_size
                refuse_difference(snapshot, part, digest, store.digest(snapshot, part, size)[0])
    except Exception as error:  # noqa: BLE001 - whatever it is, the snapshot on this disk is complete
        return explained(error)
    return None


def refuse_difference(snapshot: str, part: str, expected: str, found: str) -> None:
    """Raise HaplaneError when the bucket's copy has another SHA-256."""
    if found != expected:
        raise HaplaneError(
            "the bucket returned other data than was uploaded",
            where=f"{snapshot}/{part}",
            why=f"its SHA-256 is {found}, not {expected}",
            next_step="find out why before you rely on this S3 server; the snapshot on the member is complete",
        )


def describe(settings: AgentSettings, view: View, made: Made) -> Manifest:
    """The manifest. Data of a member that lags behind the revision read through quorum counts as without quorum."""
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
        signer=made.signer,
    )


def sign(content: bytes, work: Path, paths: HostPaths) -> bytes:
    """The raw Ed25519 signature, by openssl: Python's standard library has none."""
    unsigned = work / MANIFEST
    write_file(unsigned, content)
    command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", paths.signing_key, "-in", str(unsigned)]
    return processes.run(command, seconds=SIGN_SECONDS)


def publish(store: Store | None, snapshot: str, manifest: bytes, signature: bytes) -> HaplaneError | None:
    """Upload manifest and signature; with the signature it is a snapshot in the bucket too. Returns what failed."""
    if store is None:
        return None
    try:
        store.put_bytes(snapshot, MANIFEST, manifest)
        store.put_bytes(snapshot, SIGNATURE, signature)
    except Exception as error:  # noqa: BLE001 - as above
        return explained(error)
    return None


def sealed_keys(paths: HostPaths) -> tuple[SealedKeys, bytes]:
    """The cluster's sealed keys and their facts. Raises Refused when they are missing or do not match each other."""
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
            next_step="run `haplane up`; without these keys a snapshot could not be restored onto new hosts",
        ) from error
    return sealed, content


def certified_signer(paths: HostPaths) -> Signer:
    """The certification of this member's signing key. Raises Refused when it is missing or certifies another key."""
    try:
        facts = json.loads(Path(paths.signer).read_bytes())
        signer = Signer.from_document(facts)
        if hashlib.sha256(Path(paths.signing_key).read_bytes()).hexdigest() != facts["key_sha256"]:
            raise ValueError(f"{paths.signing_key} is not the key that it certifies")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise Refused(
            "this member's signing key is not usable",
            where=paths.signer,
            why=str(error),
            next_step="run `haplane up`; it creates a new one",
        ) from error
    return signer


class _Late(BaseException):
    """A BaseException, so that no library catches it and retries."""


@contextmanager
def deadline(seconds: float, what: str) -> Iterator[None]:
    """Raise DeadlinePassed in the middle of whatever hangs, by SIGALRM: for the main thread."""

    def late(*_: object) -> NoReturn:
        raise _Late

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _Late:
        raise DeadlinePassed(f"{what} did not end within {seconds:.0f} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
