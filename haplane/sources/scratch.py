"""A throw-away etcd on this machine: one member, reachable only through a socket in a private directory."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haplane.errors import DeadlinePassed, HaplaneError
from haplane.sources.tools import Tools

START_SECONDS = 120.0
NOWHERE = "http://127.0.0.1:1"
"""A member must advertise some address; of one member nobody dials it."""


@dataclass(frozen=True)
class Scratch:
    """The running etcd."""

    tools: Tools
    endpoint: str

    def ask(self, *words: str) -> Any:  # noqa: ANN401 - any JSON
        """What etcdctl answers."""
        said = self.tools.run("etcdctl", "--endpoints", self.endpoint, "-w", "json", *words)
        return json.loads(said)

    def value(self, key: str) -> bytes | None:
        """What a key holds, or None."""
        found = self.ask("get", key).get("kvs", [])
        return base64.b64decode(found[0]["value"]) if found else None

    def count(self, prefix: str) -> int:
        """How many keys begin so."""
        words = ("-w", "fields", "get", prefix, "--prefix", "--count-only")
        said = self.tools.run("etcdctl", "--endpoints", self.endpoint, *words)
        return int(next(line.split(":")[1] for line in said.splitlines() if line.startswith('"Count"')))

    def keys(self, prefix: str) -> list[str]:
        """The keys that begin so."""
        said = self.tools.run("etcdctl", "--endpoints", self.endpoint, "get", prefix, "--prefix", "--keys-only")
        return [line for line in said.splitlines() if line]

    def save(self, target: Path) -> None:
        """A snapshot of it."""
        self.tools.run("etcdctl", "--endpoints", self.endpoint, "snapshot", "save", str(target))


@contextmanager
def scratch_etcd(tools: Tools, data: Path, *, force_new_cluster: bool = False) -> Iterator[Scratch]:
    """Etcd on the data directory ``data``; with ``force_new_cluster`` one that was a member of some other cluster.

    Raises HaplaneError with etcd's last words when it does not serve it, DeadlinePassed after START_SECONDS.
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
    with log.open("wb") as words:
        process = subprocess.Popen(command, stdout=words, stderr=words)
    try:
        scratch = Scratch(tools, endpoint)
        _wait(scratch, process, log)
        yield scratch
    finally:
        process.kill()
        process.wait()


def _wait(scratch: Scratch, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise HaplaneError("a scratch etcd does not start from this data", why=_last_words(log))
        try:
            scratch.tools.run(
                "etcdctl", "--endpoints", scratch.endpoint, "--command-timeout=1s", "endpoint", "health",
                deadline_seconds=5,
            )  # fmt: skip
        except HaplaneError:
            time.sleep(0.1)
        else:
            return
    raise DeadlinePassed(
        f"a scratch etcd does not serve this data within {START_SECONDS:.0f} s", why=_last_words(log)
    )


def _last_words(log: Path) -> str:
    """The last complaint; etcd writes a JSON document a line."""
    for line in reversed(log.read_text(encoding="utf-8", errors="replace").splitlines()):
        try:
            said = json.loads(line)
        except ValueError:
            return line[:300]
        if isinstance(said, dict) and said.get("level") in ("error", "fatal", "panic"):
            return f"{said.get('msg', '')}: {said.get('error', '')}"[:300]
    return "it said nothing"
