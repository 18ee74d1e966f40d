"""Why an etcd member does not run, in its own last words. Pure.

The invariant: **only what etcd itself calls corruption is damage**: its check against the other members' data, and
bbolt's and the write-ahead log's refusal to read their files. Everything else (a full disk, a permission, a port)
leaves the data as they are, and may never cost the member its place. A stack trace is not looked at: its file names
(``mvcc``, ``bbolt``) are in the trace of every failed write.

The words are those of etcd 3.6.16 (server/etcdserver/corrupt.go, server/storage/wal, server/etcdserver/api/snap,
server/embed, server/etcdmain) and bbolt 1.4.3 (errors/errors.go, db.go, internal/common, internal/freelist);
tests/domain/test_etcd_failure.py has the lines that these programs wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from haplane.domain import host_paths

WORDS_LENGTH = 200


class FailureKind(Enum):
    """What stands in the way, as ``status`` names it."""

    DAMAGED = "its data is damaged"
    DISK_FULL = "its disk is full"
    READ_ONLY = "its disk is mounted read-only"
    DISK_ERROR = "its disk cannot be read"
    PERMISSION = "it has no permission to read or write its files"
    CERTIFICATE = "a certificate has expired"
    KEYS_MISSING = "a key or certificate is missing or damaged"
    PORT_TAKEN = "another program listens on its port"
    NO_ADDRESS = "its address is not on this host"
    NO_MEMORY = "it cannot allocate memory"
    OTHER_CLUSTER = "it is not a member of this cluster"
    WRONG_FLAGS = "it rejects its flags"
    UNKNOWN = "it exits"


@dataclass(frozen=True)
class Failure:
    """``words`` are etcd's own, shortened."""

    kind: FailureKind
    words: str


ENVIRONMENT = (
    (FailureKind.DISK_FULL, r"no space left on device|disk quota exceeded"),
    (FailureKind.READ_ONLY, r"read-only file system"),
    (FailureKind.DISK_ERROR, r"input/output error|^unexpected fault address|SIGBUS"),
    (FailureKind.PERMISSION, r"permission denied|operation not permitted|determine user credentials"),
    (FailureKind.PORT_TAKEN, r"address already in use"),
    (FailureKind.NO_ADDRESS, r"cannot assign requested address"),
    (FailureKind.NO_MEMORY, r"cannot allocate memory|out of memory|OOM killer|oom-kill"),
    (FailureKind.CERTIFICATE, r"certificate has expired|expired certificate"),
    (
        FailureKind.KEYS_MISSING,
        rf"open {host_paths.ETCD_PKI}/\S+ no such file|tls: failed to (find any PEM data|parse)|"
        r"tls: private key (type )?does not match public key",
    ),
    (
        FailureKind.OTHER_CLUSTER,
        r"cluster ID mismatch|permanently removed from the cluster|member count is unequal|"
        r"unmatched member while checking PeerURLs",
    ),
    (FailureKind.WRONG_FLAGS, r"^flag provided but not defined|environment variable is shadowed|^invalid value "),
)
"""First: a failure of the system's is none of the data's, whatever etcd was doing at that moment."""

CORRUPTION = (
    r"found data inconsistency with peers|"
    r"both meta pages are invalid|(^|: )invalid database$|(^|: )checksum error$|file size too small|"
    r"walpb: crc mismatch|snap: crc mismatch|snap: empty snapshot|"
    r"wal: (conflicting metadata found|snapshot mismatch|slice bounds out of range)|"
    r"\[wal\] max entry size limit exceeded|"
    r"^assertion failed: |invalid freelist page|invalid page (type|allocation)|page \d+: |"
    r"above high water mark|misplaced bucket header|unexpected bucket header flag|bolt\.DB\.meta\(\): invalid meta|"
    r"page \d+ already freed|duplicated free (page )?ID|overlapped free page ID|freed page \(\d+\)|"
    r"pgids not sorted|leading element count \d+ overflows"
)
PATTERNS = tuple(
    (kind, re.compile(pattern, re.IGNORECASE if kind is not FailureKind.DAMAGED else 0))
    for kind, pattern in (*ENVIRONMENT, (FailureKind.DAMAGED, CORRUPTION))
)
FATAL, WARNINGS = ("fatal", "panic"), ("warn", "error")
SERVES = "ready to serve client requests"
PANIC = re.compile(r"^(?:panic: |fatal error: |unexpected fault address )")
LASTING = (FailureKind.CERTIFICATE, FailureKind.OTHER_CLUSTER)
"""A member that refuses its peers for these, or is refused, does not end: it warns again and again."""

UNIT_WORDS = re.compile(r"OOM killer|result 'oom-kill'|determine user credentials|^flag provided|^invalid value ")
"""Of systemd about the unit, and of etcd before it has a log."""


def failure(lines: Iterable[str]) -> Failure | None:
    """From the unit's journal since the host's start, oldest line first; None where the last start went well.

    The last word counts: what stood in the way before may be over.
    """
    found: Failure | None = None
    for line in lines:
        level, words = _read(line)
        if level == "serves":
            found = None
        elif level == "text":
            found = _of_text(line, found)
        else:
            kind = kind_of(words)
            if level in FATAL or level in WARNINGS and kind in LASTING and (found is None or found.kind in LASTING):
                found = Failure(kind, words[:WORDS_LENGTH])
    return found


def kind_of(words: str) -> FailureKind:
    """What these words of etcd's mean."""
    return next((kind for kind, pattern in PATTERNS if pattern.search(words)), FailureKind.UNKNOWN)


def _read(line: str) -> tuple[str, str]:
    """The level of a line and what it reports: its ``error`` behind its ``msg``."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return "text", line
    if not isinstance(entry, dict):
        return "text", line
    message = str(entry.get("msg", ""))
    if message == SERVES or message.startswith("ready to serve"):
        return "serves", ""
    error = entry.get("error")
    return str(entry.get("level", "")), f"{message}: {error}" if error else message


def _of_text(line: str, found: Failure | None) -> Failure | None:
    """Go's own last words. A panic that etcd has logged is printed once more, without its reason."""
    if PANIC.match(line) is None and UNIT_WORDS.search(line) is None:
        return found
    words = line.removeprefix("panic: ")
    kind = kind_of(words)
    again = found is not None and (found.words.startswith(words[:WORDS_LENGTH]) or words == "fault")
    if kind is FailureKind.UNKNOWN and (again or line.startswith("fatal error: fault")):
        return found
    return Failure(kind, words[:WORDS_LENGTH])
