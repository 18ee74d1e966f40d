"""Start the prober beside a drill, watch what it sees, stop it, and ask the cluster for every write it promised."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from haplane.drills.client import Client, NoReply, Reply, Target
from haplane.drills.probe import PER_SECOND, WRITE_LABEL, configmaps_path
from haplane.drills.timeline import Request, parse
from haplane.drills.waiting import wait_until
from haplane.errors import HaplaneError

STOP_SECONDS = 10.0
ANSWER_SECONDS = 30.0
PAGE = 500


class Probes:
    """A running prober. Use it in ``with``; it has ended when the block ends, however that is left."""

    def __init__(self, target: Target, namespace: str, per_second: float = PER_SECOND) -> None:
        self._settings = {"target": asdict(target), "namespace": namespace, "per_second": per_second}

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="haplane-")
        self._log = Path(self._directory.name) / "requests.jsonl"
        self._complaints = Path(self._directory.name) / "stderr"
        with self._log.open("wb") as log, self._complaints.open("wb") as complaints:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "haplane.drills.probe"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=complaints,
                text=True,
                start_new_session=True,  # Ctrl-C is for the drill, which stops the prober itself
            )
        self._tell(json.dumps(self._settings) + "\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._directory.cleanup()

    def requests(self) -> list[Request]:
        """Everything finished so far. Raises HaplaneError when the prober ended by itself, with its last words."""
        if self._process.poll():
            raise HaplaneError("the prober failed", why=self._complaints.read_text(errors="replace")[-2000:].strip())
        with self._log.open(encoding="utf-8", newline="\n") as log:
            return parse(log)

    def stop(self) -> list[Request]:
        """End the prober, its last requests included, and return everything it saw. May be called again."""
        self._end()
        return self.requests()

    def _end(self) -> None:
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, line: str) -> None:
        stdin = self._process.stdin
        if stdin is None:
            raise HaplaneError("the prober has no input")
        with contextlib.suppress(BrokenPipeError):  # it has ended already; requests() says why
            stdin.write(line)
            stdin.flush()


def make_namespace(client: Client, namespace: str) -> None:
    """Create the namespace the writes go to. Raises HaplaneError when the API server will not."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {WRITE_LABEL: "true"}}}
    reply = ask(client, "POST", "/api/v1/namespaces", body)
    if not reply.ok and reply.status != 409:  # a first try that was answered too late may have made it
        raise HaplaneError(f"cannot create the namespace {namespace}", why=f"{reply.status}: {reply.body[:300]!r}")


def remove_namespace(client: Client, namespace: str) -> None:
    """Ask for the namespace to be deleted; the cluster does so in its own time."""
    ask(client, "DELETE", f"/api/v1/namespaces/{namespace}")


def lost_writes(client: Client, namespace: str, acknowledged: Iterable[int]) -> tuple[int, ...]:
    """The acknowledged writes that cannot be read back, or hold something else, in order."""
    kept = set(_read_back(client, namespace))
    return tuple(sorted(number for number in acknowledged if number not in kept))


def _read_back(client: Client, namespace: str) -> list[int]:
    numbers: list[int] = []
    more = ""
    while True:
        path = f"{configmaps_path(namespace)}?labelSelector={WRITE_LABEL}%3Dwrite&limit={PAGE}&continue={quote(more)}"
        reply = ask(client, "GET", path)
        if not reply.ok:
            raise HaplaneError("cannot read the writes back", why=f"{reply.status}: {reply.body[:300]!r}")
        page = reply.document()
        numbers += [int(item["data"]["number"]) for item in page["items"] if _is_whole(item)]
        more = page["metadata"].get("continue", "")
        if not more:
            return numbers


def _is_whole(item: dict[str, Any]) -> bool:
    number = item.get("data", {}).get("number")
    return number is not None and item["metadata"]["name"] == f"write-{number}"


def ask(client: Client, method: str, path: str, body: object = None) -> Reply:
    """A request that must be answered in the end: tried again until the endpoint answers other than 5xx or 429.

    Raises DeadlinePassed when it does not within 30 s.
    """
    last = ""

    def answered() -> Reply | None:
        nonlocal last
        try:
            reply = client.request(method, path, body, seconds=10.0)
        except NoReply as error:
            last = str(error)
            return None
        last = f"{reply.status}: {reply.body[:200]!r}"
        return None if reply.status >= 500 or reply.status == 429 else reply

    return wait_until(answered, ANSWER_SECONDS, f"an answer to {method} {path}", why=lambda: last)
