"""One etcd snapshot on this machine, looked through before anybody relies on it.

Whatever is wrong with it has a message of its own; nothing of a cluster has been touched by then.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haplane.bundle.compress import file_sha256
from haplane.errors import HaplaneError, Refused
from haplane.sources.identity import uid_of
from haplane.sources.scratch import scratch_etcd
from haplane.sources.tools import Tools

BOLT_MAGIC = 0xED0CDAED
PAGE = 4096
HASH_BYTES = 32
CHUNK = 1 << 20
ROOT_AUTHORITY = "/registry/configmaps/kube-system/kube-root-ca.crt"
CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?")
NAMESPACE = "/registry/namespaces/kube-system"


@dataclass(frozen=True)
class Database:
    """A snapshot that has been restored into a scratch etcd and asked. ``path`` is ours alone (0600).

    ``records`` is the number that ``etcdutl snapshot status`` gives; ``authority`` is the Kubernetes CA certificate
    that the cluster hands to its pods, None where it never had the time to.
    """

    path: Path
    sha256: str
    size: int
    revision: int
    records: int
    keys: int
    uid: str
    authority: bytes | None


def take_in(source: Path, tools: Tools, *, etcd_version: str) -> Database:
    """Look through a copy of an etcd snapshot, of a database out of a data directory, or of a whole data directory.

    Raises Refused, with a message for each, when it is empty, no database, cut short, damaged, made by a newer etcd
    than ``etcd_version``, or not a Kubernetes cluster's; HaplaneError when it cannot be read.
    """
    target = tools.new_directory("database") / "snapshot.db"
    try:
        if source.is_dir():
            _out_of_directory(source, target, tools)
        else:
            shutil.copyfile(source, target)
    except OSError as error:
        raise HaplaneError("the snapshot cannot be read", where=str(source), why=error.strerror) from None
    return look_through(target, str(source), tools, etcd_version=etcd_version)


def look_through(path: Path, name: str, tools: Tools, *, etcd_version: str) -> Database:
    """The snapshot at ``path``, which is ours: its hash, a scratch restore, and what the scratch etcd tells."""
    path.chmod(0o600)
    _refuse_what_is_none(path, name)
    _check_hash(path, name)
    with ThreadPoolExecutor() as at_once:  # each reads the whole file, gigabytes of it
        asked = at_once.submit(_ask_a_scratch_etcd, path, name, tools)
        sha256 = at_once.submit(file_sha256, path)
        told = _status(path, name, tools)
        refuse_newer(str(told.get("version", "")), etcd_version, name)
    keys, uid, authority = asked.result()
    return Database(
        path, sha256.result(), path.stat().st_size, int(told["revision"]), int(told["totalKey"]), keys, uid, authority
    )


def _status(path: Path, name: str, tools: Tools) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(tools.run("etcdutl", "snapshot", "status", str(path), "-w", "json"))
    except HaplaneError as error:
        raise _damaged(name, error.why or error.what) from None
    return told


def _out_of_directory(source: Path, target: Path, tools: Tools) -> None:
    """A stopped member's data: started on a copy, with what its log holds and its database does not have yet."""
    member = source / "member" if (source / "member").is_dir() else source
    if not (member / "snap" / "db").is_file():
        raise Refused(
            "this directory holds no etcd data",
            where=str(source),
            why="member/snap/db is not there",
            next_step="give the copy of /var/lib/etcd, or the file of a snapshot",
        )
    copy = tools.new_directory("data")
    shutil.copytree(member, copy / "member")
    try:
        with scratch_etcd(tools, copy, force_new_cluster=True) as scratch:
            scratch.save(target)
    except HaplaneError as error:
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
            "this is no etcd snapshot",
            where=name,
            why="it does not begin as an etcd database does",
            next_step="give what `etcdctl snapshot save` wrote, decrypted and unpacked, or a copy of /var/lib/etcd",
        )


def _check_hash(path: Path, name: str) -> None:
    """A snapshot ends with its own hash; a database copied out of a data directory gets one."""
    size = path.stat().st_size
    rest = size % 512
    if rest not in (0, HASH_BYTES):
        raise _cut_short(name, f"{size} bytes are no whole number of pages")
    content = size - rest
    digest = hashlib.sha256()
    with path.open("r+b") as file:
        for start in range(0, content, CHUNK):
            digest.update(file.read(min(CHUNK, content - start)))
        if rest == 0:
            file.seek(0, 2)
            file.write(digest.digest())
        elif file.read(HASH_BYTES) != digest.digest():
            raise _cut_short(name, "its content is not what its own hash says")


def _ask_a_scratch_etcd(path: Path, name: str, tools: Tools) -> tuple[int, str, bytes | None]:
    directory = tools.new_directory("scratch")
    try:
        tools.run(
            "etcdutl", "snapshot", "restore", str(path), "--data-dir", str(directory / "data"), "--name", "scratch",
            "--initial-cluster", "scratch=http://127.0.0.1:1", "--initial-advertise-peer-urls", "http://127.0.0.1:1",
        )  # fmt: skip
        with scratch_etcd(tools, directory / "data") as scratch:
            stored, root = scratch.value(NAMESPACE), scratch.value(ROOT_AUTHORITY)
            keys = scratch.count("")
    except Refused:
        raise
    except HaplaneError as error:
        raise _damaged(name, error.why or error.what) from None
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if stored is None:
        raise Refused(
            "this etcd snapshot is not of a Kubernetes cluster",
            where=name,
            why=f"it has {keys} keys and none is {NAMESPACE}",
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
            why="an older etcd cannot be trusted with newer data",
            next_step="use the bundle that the cluster was last run with",
        )


def _cut_short(name: str, why: str) -> Refused:
    return Refused(
        "the snapshot is cut short or was changed",
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
