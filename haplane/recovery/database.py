"""One etcd snapshot on this machine, verified before anybody relies on it.

Each thing that can be wrong with it has a message of its own. Nothing of a cluster has been changed by then.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haplane.agent.stored_object import uid_of
from haplane.bundle.compress import file_sha256
from haplane.domain.history import why_incredible
from haplane.errors import HaplaneError, Refused
from haplane.recovery.scratch.etcd import restored_etcd, scratch_etcd
from haplane.recovery.scratch.tools import ProgramFailed, Tools
from haplane.threads import Threads

BOLT_MAGIC = 0xED0CDAED
PAGE = 4096
HASH_BYTES = 32
CHUNK = 1 << 20
ROOT_CA = "/registry/configmaps/kube-system/kube-root-ca.crt"
CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?")
NAMESPACE = "/registry/namespaces/kube-system"


@dataclass(frozen=True)
class Database:
    """A snapshot that a scratch etcd has restored and served. ``path`` is readable by us alone (0600).

    ``records`` is the number that ``etcdutl snapshot status`` gives; ``ca`` is the Kubernetes CA certificate
    that the cluster gives its pods, None where it had not done so yet.
    """

    path: Path
    sha256: str
    size: int
    revision: int
    records: int
    keys: int
    uid: str
    ca: bytes | None


def take_in(source: Path, tools: Tools) -> Database:
    """Look through a copy of an etcd snapshot, of a database out of a data directory, or of a whole data directory.

    Raises Refused, with a message for each, when it is empty, no database, cut short, damaged, made by a newer etcd
    than the bundle's, or not a Kubernetes cluster's; HaplaneError when it cannot be read.
    """
    target = tools.new_directory("database", size_of(source)) / "snapshot.db"
    try:
        if source.is_dir():
            _out_of_directory(source, target, tools)
        else:
            shutil.copyfile(source, target)
    except OSError as error:
        raise HaplaneError("the snapshot cannot be read", where=str(source), why=error.strerror) from None
    return look_through(target, str(source), tools)


def size_of(source: Path) -> int | None:
    """Of a file, or of everything below a directory, in bytes; None when it cannot be read."""
    try:
        return sum(each.stat().st_size for each in (source.rglob("*") if source.is_dir() else (source,)))
    except OSError:
        return None


def look_through(path: Path, name: str, tools: Tools) -> Database:
    """Verify our copy of a snapshot at ``path``: its hash, a scratch restore, and what a scratch etcd serves."""
    path.chmod(0o600)
    _refuse_what_is_none(path, name)
    _check_hash(path, name)
    with Threads() as at_once:  # each reads the whole file, gigabytes of it
        asked = at_once.submit(_ask_a_scratch_etcd, path, name, tools)
        sha256 = at_once.submit(file_sha256, path)
        status = _status(path, name, tools)
        refuse_newer(str(status.get("version", "")), tools.etcd_version, name)
        if why := why_incredible(int(status["revision"])):
            raise Refused("this is not the data of a cluster", where=name, why=why, next_step="give another copy")
    keys, uid, ca = asked.result()
    return Database(
        path,
        sha256.result(),
        path.stat().st_size,
        int(status["revision"]),
        int(status["totalKey"]),
        keys,
        uid,
        ca,
    )


def _status(path: Path, name: str, tools: Tools) -> dict[str, Any]:
    try:
        status: dict[str, Any] = json.loads(tools.run("etcdutl", "snapshot", "status", str(path), "-w", "json"))
    except ProgramFailed as error:
        raise _damaged(name, error.why or error.what) from None
    return status


def _out_of_directory(source: Path, target: Path, tools: Tools) -> None:
    """The data of a stopped member, from an etcd on a copy of it: its log may hold more than its database."""
    member = source / "member" if (source / "member").is_dir() else source
    if not (member / "snap" / "db").is_file():
        raise Refused(
            "this directory holds no etcd data",
            where=str(source),
            why="there is no member/snap/db in it",
            next_step="give a copy of /var/lib/etcd, or the file of a snapshot",
        )
    copy = tools.new_directory("data", size_of(source))
    shutil.copytree(member, copy / "member")
    try:
        with scratch_etcd(tools, copy, force_new_cluster=True) as scratch:
            scratch.save(target)
    except ProgramFailed as error:
        raise _damaged(str(source), error.why or error.what) from None
    finally:
        shutil.rmtree(copy)


def _refuse_what_is_none(path: Path, name: str) -> None:
    size = path.stat().st_size
    if size == 0:
        raise Refused("the snapshot is empty", where=name, next_step="give another one")
    with path.open("rb") as file:
        head = file.read(PAGE)
    if len(head) < 20 or struct.unpack_from("<I", head, 16)[0] != BOLT_MAGIC:
        raise Refused(
            "this is not an etcd snapshot",
            where=name,
            why="it does not start like an etcd database",
            next_step="give a file of `etcdctl snapshot save`, decrypted and unpacked, or a copy of /var/lib/etcd",
        )


def _check_hash(path: Path, name: str) -> None:
    """Verify the hash at the end of a snapshot; append one to a database copied out of a data directory."""
    size = path.stat().st_size
    rest = size % 512
    if rest not in (0, HASH_BYTES):
        raise _cut_short(name, f"{size} bytes is not a whole number of pages")
    content = size - rest
    digest = hashlib.sha256()
    with path.open("r+b") as file:
        for start in range(0, content, CHUNK):
            digest.update(file.read(min(CHUNK, content - start)))
        if rest == 0:
            file.seek(0, 2)
            file.write(digest.digest())
        elif file.read(HASH_BYTES) != digest.digest():
            raise _cut_short(name, "its content does not match its own hash")


def _ask_a_scratch_etcd(path: Path, name: str, tools: Tools) -> tuple[int, str, bytes | None]:
    directory = tools.new_directory("scratch", path.stat().st_size)
    try:
        with restored_etcd(tools, path, directory / "data") as scratch:
            stored, root = scratch.value(NAMESPACE), scratch.value(ROOT_CA)
            keys = scratch.count("")
    except ProgramFailed as error:
        raise _damaged(name, error.why or error.what) from None
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if stored is None:
        raise Refused(
            "this etcd snapshot is not from a Kubernetes cluster",
            where=name,
            why=f"it has {keys} keys, and {NAMESPACE} is not among them",
            next_step="give a snapshot of this cluster's etcd",
        )
    pem = CERTIFICATE.search(root or b"")
    return keys, uid_of(stored), pem.group() if pem else None


def refuse_newer(made_by: str, ours: str, name: str) -> None:
    """Raise Refused when the etcd that made a snapshot is of a later minor version than the bundle's."""
    found = re.match(r"(\d+)\.(\d+)", made_by)
    if found and tuple(map(int, found.groups())) > tuple(map(int, ours.split(".")[:2])):
        raise Refused(
            f"this snapshot was made by etcd {made_by}, and the bundle has {ours}",
            where=name,
            why="an older etcd may misread newer data",
            next_step="use the bundle with which the cluster last ran",
        )


def _cut_short(name: str, why: str) -> Refused:
    return Refused(
        "the snapshot is incomplete or was changed",
        where=name,
        why=why,
        next_step="give another copy, or an older one",
    )


def _damaged(name: str, why: str) -> Refused:
    return Refused(
        "the snapshot is damaged: etcd cannot restore it",
        where=name,
        why=why,
        next_step="give another copy, or an older one",
    )
