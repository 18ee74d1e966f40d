"""A scratch etcd on this machine: one member, reachable only through a socket in a private directory."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haplane.errors import HaplaneError
from haplane.file_limits import limited
from haplane.recovery.scratch.tools import ProgramFailed, Tools, dies_with_us
from haplane.streams import shortened, tail_of
from haplane.waiting import wait_until

START_SECONDS = 120.0
RESTORE_SECONDS = 1800.0
"""8 GiB, the largest database that etcd supports, at 5 MiB/s."""
NOWHERE = "http://127.0.0.1:1"
"""A member must advertise an address; nobody connects to that of a single member."""


@dataclass(frozen=True)
class Scratch:
    """The running etcd."""

    tools: Tools
    endpoint: str

    def ask(self, *words: str) -> Any:  # noqa: ANN401 - any JSON
        """The JSON that etcdctl prints."""
        printed = self.tools.run("etcdctl", "--endpoints", self.endpoint, "-w", "json", *words)
        return json.loads(printed)

    def value(self, key: str) -> bytes | None:
        """What a key holds, or None."""
        found = self.ask("get", key).get("kvs", [])
        return base64.b64decode(found[0].get("value", "")) if found else None

    def count(self, prefix: str) -> int:
        """How many keys begin so."""
        words = ("-w", "fields", "get", prefix, "--prefix", "--count-only")
        printed = self.tools.run("etcdctl", "--endpoints", self.endpoint, *words)
        return int(next(line.split(":")[1] for line in printed.splitlines() if line.startswith('"Count"')))

    def keys(self, prefix: str) -> list[str]:
        """The keys that begin so."""
        printed = self.tools.run("etcdctl", "--endpoints", self.endpoint, "get", prefix, "--prefix", "--keys-only")
        return [line for line in printed.splitlines() if line]

    def save(self, target: Path) -> None:
        """A snapshot of it."""
        self.tools.run("etcdctl", "--endpoints", self.endpoint, "snapshot", "save", str(target))


@contextmanager
def scratch_etcd(tools: Tools, data: Path, *, force_new_cluster: bool = False) -> Iterator[Scratch]:
    """Etcd on the data directory ``data``; with ``force_new_cluster`` one that was a member of some other cluster.

    Raises ProgramFailed with etcd's last error when it does not serve it, DeadlinePassed after START_SECONDS.
    """
    sockets = tools.new_directory("s")
    endpoint = f"unix://{sockets}/c"
    log = sockets / "log"
    command = [
        tools.path("etcd"), "--name=scratch", f"--data-dir={data}", f"--listen-client-urls={endpoint}",
        f"--listen-peer-urls=unix://{sockets}/p", f"--advertise-client-urls={NOWHERE}",
        f"--initial-advertise-peer-urls={NOWHERE}", f"--initial-cluster=scratch={NOWHERE}",
        *(["--force-new-cluster"] if force_new_cluster else []),
    ]  # fmt: skip
    size = sum(file.stat().st_size for file in data.rglob("*") if file.is_file())
    with log.open("wb") as words:
        process = subprocess.Popen(dies_with_us(limited(command, size)), stdout=words, stderr=words)
    try:
        scratch = Scratch(tools, endpoint)
        _wait(scratch, process, log)
        yield scratch
    finally:
        process.kill()
        process.wait()


@contextmanager
def restored_etcd(tools: Tools, snapshot: Path, data: Path) -> Iterator[Scratch]:
    """Restore ``snapshot`` into the new directory ``data`` and run etcd on it.

    Raises ProgramFailed with the program's last line when it does not restore or serve, DeadlinePassed.
    """
    tools.run(
        "etcdutl", "snapshot", "restore", str(snapshot), "--data-dir", str(data), "--name", "scratch",
        "--initial-cluster", f"scratch={NOWHERE}", "--initial-advertise-peer-urls", NOWHERE,
        given=snapshot.stat().st_size, deadline_seconds=RESTORE_SECONDS,
    )  # fmt: skip
    with scratch_etcd(tools, data) as scratch:
        yield scratch


def _wait(scratch: Scratch, process: subprocess.Popen[bytes], log: Path) -> None:
    def serves() -> bool:
        if process.poll() is not None:
            raise ProgramFailed("a scratch etcd does not start from this data", why=_last_error(log))
        try:
            scratch.tools.run(
                "etcdctl", "--endpoints", scratch.endpoint, "--command-timeout=1s", "get", "haplane-health",
                deadline_seconds=5,
            )  # fmt: skip
        except HaplaneError:
            return False
        return True

    wait_until(serves, START_SECONDS, "a scratch etcd serves this data", why=lambda: _last_error(log))


def _last_error(log: Path) -> str:
    """The last error in the log; etcd writes one JSON document a line."""
    for line in reversed(tail_of(log).decode(errors="replace").splitlines()):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            return shortened(line)
        if isinstance(entry, dict) and entry.get("level") in ("error", "fatal", "panic"):
            return shortened(f"{entry.get('msg', '')}: {entry.get('error', '')}")
    return "it printed nothing"
