"""The etcd member beside the agent, through etcdctl and etcdutl.

Two keys of our own, outside Kubernetes' prefix: ``haplane/snapshot-slot`` notes the last delivered slot, and
``haplane/snapshot-running`` exists, under a lease that ends with its agent, while a member takes a snapshot. Both
only save work: without quorum or space in etcd they cannot be written, and snapshots are taken all the same.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haplane.agent import processes
from haplane.agent.settings import HostPaths
from haplane.agent.stored_object import uid_of
from haplane.domain.slots import Candidate
from haplane.errors import HaplaneError, Locked, Refused, Unreachable

DELIVERED = "haplane/snapshot-slot"
RUNNING = "haplane/snapshot-running"
KUBE_SYSTEM = "/registry/namespaces/kube-system"
COMMAND_SECONDS = 15
SLOWEST_BYTES_PER_SECOND = 4 << 20
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class View:
    """The cluster as this member sees it. ``database_bytes`` is the size of its file, free pages included."""

    candidates: tuple[Candidate, ...]
    version: str
    database_bytes: int


@dataclass(frozen=True)
class Noted:
    """What a read through quorum returns: the revision, and the last slot that was delivered (-1: none yet)."""

    revision: int
    slot: int


@dataclass(frozen=True)
class Database:
    """What etcdutl reads in a database file."""

    revision: int
    key_count: int


class Etcd:
    """Raises Unreachable when the member does not respond, DeadlinePassed when it is too slow."""

    def __init__(self, paths: HostPaths, member: str) -> None:
        self._paths = paths
        self._member = member

    def view(self) -> View:
        """Query the status of every member; those that do not respond are not healthy."""
        with understood("etcdctl member list"):
            return self._view(self._ask("member", "list", "--consistency=s"))

    def _view(self, listed: Any) -> View:
        urls = {
            member["name"]: member["clientURLs"][0]
            for member in listed["members"]
            if member.get("name") and member.get("clientURLs")
        }
        names = {member["ID"]: member["name"] for member in listed["members"] if member.get("name")}
        asked = {url: name for name, url in urls.items() if name != self._member}
        asked[self._paths.etcd_endpoint] = self._member
        by_name = by_whom_was_asked(self._statuses(list(asked)), asked, names)
        if self._member not in by_name:
            raise Unreachable("etcd on this host does not respond", where=self._paths.etcd_endpoint)
        own = by_name[self._member]
        led = 2 * sum(bool(status.get("leader")) for status in by_name.values()) > len(names)
        return View(
            candidates=tuple(candidate(name, number, by_name.get(name), led) for number, name in names.items()),
            version=own["version"],
            database_bytes=int(own["dbSize"]),
        )

    def read_through_quorum(self) -> Noted | None:
        """None without quorum."""
        done = processes.attempt(
            self._etcdctl("get", DELIVERED, "--write-out=json", "--command-timeout=5s"), seconds=COMMAND_SECONDS
        )
        if done.returncode != 0:
            return None
        with understood("etcdctl get"):
            answer = json.loads(done.stdout)
            slot = -1
            for pair in answer.get("kvs") or ():
                slot = _slot(base64.b64decode(pair.get("value", "")))
            return Noted(int(answer["header"]["revision"]), slot)

    def note_delivered(self, slot: int, snapshot: str) -> None:
        """Note for the other members that the slot is done. Without the note they take one more snapshot."""
        value = json.dumps({"slot": slot, "id": snapshot}, sort_keys=True)
        with contextlib.suppress(HaplaneError):
            processes.attempt(self._etcdctl("put", DELIVERED, value), seconds=COMMAND_SECONDS)

    @contextmanager
    def announced(self, slot: int, lease_seconds: int) -> Iterator[None]:
        """Announce to the others that this member takes a snapshot. Raises Locked when another one is taking one."""
        lease = self._grant(lease_seconds)
        if lease is None:
            yield
            return
        value = json.dumps({"member": self._member, "slot": slot}, sort_keys=True, separators=(",", ":"))
        script = f'create("{RUNNING}") = "0"\n\nput --lease={lease} {RUNNING} \'{value}\'\n\nget {RUNNING}\n\n'
        alive = processes.start(self._etcdctl("lease", "keep-alive", lease))
        try:
            done = processes.attempt(
                self._etcdctl("txn", "--write-out=json"), seconds=COMMAND_SECONDS, stdin=script.encode()
            )
            if done.returncode == 0 and (holder := _holder(done.stdout)) is not None:
                raise Locked("another member is taking a snapshot", why=holder)
            yield
        finally:
            processes.kill(alive)
            with contextlib.suppress(HaplaneError):  # the lease runs out by itself
                processes.attempt(self._etcdctl("lease", "revoke", lease), seconds=COMMAND_SECONDS)

    def kubernetes_uid(self) -> str | None:
        """The UID of the kube-system namespace, read from this member alone; None before Kubernetes has made it."""
        done = processes.attempt(
            self._etcdctl("get", KUBE_SYSTEM, "--consistency=s", "--print-value-only"), seconds=COMMAND_SECONDS
        )
        if done.returncode != 0 or not done.stdout.strip():
            return None
        with contextlib.suppress(Refused):  # not stored as protobuf: the manifest goes without it
            return uid_of(done.stdout)
        return None

    def save(self, target: Path, database_bytes: int) -> None:
        """Save the member's database, with a trailing SHA-256, to ``target`` (0600)."""
        seconds = _allowed(database_bytes)
        self._run("snapshot", "save", str(target), f"--command-timeout={seconds:.0f}s", seconds=seconds)

    def _grant(self, seconds: int) -> str | None:
        done = processes.attempt(
            self._etcdctl("lease", "grant", str(seconds), "--write-out=json", "--command-timeout=3s"),
            seconds=COMMAND_SECONDS,
        )
        try:
            return f"{json.loads(done.stdout)['ID']:x}" if done.returncode == 0 else None
        except (ValueError, LookupError, TypeError):  # then nothing is announced
            return None

    def _statuses(self, endpoints: list[str]) -> list[tuple[str, dict[str, Any]]]:
        command = self._etcdctl(
            "endpoint", "status", "--write-out=json", "--command-timeout=2s", endpoints=",".join(endpoints)
        )
        done = processes.attempt(command, seconds=COMMAND_SECONDS + 3 * len(endpoints))
        try:
            found = [(answer["Endpoint"], answer["Status"]) for answer in json.loads(done.stdout) or ()]
        except (ValueError, LookupError, TypeError):
            return []
        return [
            (endpoint, status)
            for endpoint, status in found
            if isinstance(status, dict) and isinstance(status.get("header"), dict)
        ]

    def _ask(self, *words: str) -> Any:
        return json.loads(self._run(*words, "--write-out=json", "--command-timeout=5s", seconds=COMMAND_SECONDS))

    def _run(self, *words: str, seconds: float) -> bytes:
        done = processes.attempt(self._etcdctl(*words), seconds=seconds)
        try:
            processes.refuse_failure(("etcdctl", *words), done.returncode, done.stderr)
        except HaplaneError as error:
            raise Unreachable(error.what, where=self._paths.etcd_endpoint, why=error.why) from None
        return done.stdout

    def _etcdctl(self, *words: str, endpoints: str | None = None) -> list[str]:
        paths = self._paths
        tls = [f"--cacert={paths.etcd_authority}", f"--cert={paths.etcd_certificate}", f"--key={paths.etcd_key}"]
        endpoint = endpoints or paths.etcd_endpoint
        return ["etcdctl", *words, f"--endpoints={endpoint}", *(tls if endpoint.startswith("https:") else ())]


def scratch_restore(saved: Path, scratch: Path) -> Database:
    """Restore into ``scratch`` and read back what is there. Raises HaplaneError when it does not restore."""
    seconds = _allowed(saved.stat().st_size)
    processes.run(["etcdutl", "snapshot", "restore", str(saved), f"--data-dir={scratch}"], seconds=seconds)
    restored = scratch / "member" / "snap" / "db"
    printed = processes.run(["etcdutl", "snapshot", "status", str(restored), "--write-out=json"], seconds=seconds)
    with understood("etcdutl snapshot status"):
        status = json.loads(printed)
        return Database(int(status["revision"]), int(status["totalKey"]))


def by_whom_was_asked(
    answers: list[tuple[str, dict[str, Any]]], asked: dict[str, str], names: dict[int, str]
) -> dict[str, dict[str, Any]]:
    """Statuses by member, of ``answers`` by endpoint. One that answers as another member is none of either's.

    ``asked``: whose endpoints are which; ``names`` by the member's ID.
    """
    found = {}
    for endpoint, status in answers:
        name = asked.get(endpoint)
        if name is not None and names.get(status["header"].get("member_id")) == name:
            found[name] = status
    return found


def candidate(name: str, number: int, status: dict[str, Any] | None, led: bool) -> Candidate:
    """A member that sees no leader is healthy only if most members see none either: then there is no quorum."""
    if status is None:
        return Candidate(name, healthy=False)
    corrupt = any(f"memberID:{number} alarm:CORRUPT" in error for error in status.get("errors") or ())
    follows = bool(status.get("leader")) or not led
    healthy = follows and not status.get("isLearner") and not corrupt
    return Candidate(name, healthy, leader=status.get("leader") == number)


def _slot(value: bytes) -> int:
    try:
        return int(json.loads(value)["slot"])
    except (ValueError, LookupError, TypeError):
        return -1


def _holder(output: bytes) -> str | None:
    """The member that is taking a snapshot, from the transaction's output; None when this member may take one."""
    try:
        answer = json.loads(output)
        if answer.get("succeeded"):
            return None
        found = answer["responses"][0]["Response"]["response_range"]["kvs"][0]
        return base64.b64decode(found["value"]).decode(errors="replace")[:200]
    except (LookupError, TypeError):
        return "unknown member"
    except (ValueError, AttributeError):
        return None


@contextmanager
def understood(command: str) -> Iterator[None]:
    """JSON of another shape than expected becomes an error that names the command."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise HaplaneError(
            f"the output of `{command}` cannot be understood",
            why=f"{type(error).__name__}: {error}"[:200],
            next_step="etcd's programs on this host are not those of the bundle; `haplane up` installs them",
        ) from error


def _allowed(size: int) -> float:
    return PATIENCE_SECONDS + size / SLOWEST_BYTES_PER_SECOND
