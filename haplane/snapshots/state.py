"""What the agent remembers of itself between runs, for `haplane status`: /var/lib/haplane/snapshot-state.json.

::

    {"last_good": {"id", "taken_at", "revision", "seconds", "bytes", "verified_at"} | null,
     "last_attempt": {"at", "outcome": "delivered" | "without-quorum" | "local-only" | "failed", "id" | null} | null,
     "last_error": {"at", "message"} | null,          null again after the next good one
     "without_quorum": N,                              since the last good one
     "skipped": N,                                     own slots, because another snapshot was still running
     "running": {"since"} | null,
     "told_at": null}                                  when somebody was last told of failures, null after a good one

Times are UTC, ISO 8601. ``last_good`` is with quorum, verified, and in the bucket where there is one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from haplane.errors import HaplaneError
from haplane.snapshots.local import write_file
from haplane.snapshots.manifest import Manifest
from haplane.snapshots.settings import AgentSettings

TEXTFILE = "haplane_snapshot.prom"
TELL_AGAIN_SECONDS = 3600
EMPTY: Mapping[str, Any] = {
    "last_good": None, "last_attempt": None, "last_error": None, "without_quorum": 0, "skipped": 0, "running": None,
    "told_at": None,
}  # fmt: skip


class State:
    """Read when made; every change is on the disk when its method returns. Only for the holder of the lock."""

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings
        self._path = Path(settings.paths.state)
        self._local_only: str | None = None
        self.document = {**EMPTY, **_read(self._path)}

    def begun(self, now: datetime) -> None:
        """A run starts."""
        self._write(running={"since": now.isoformat()})

    def idle(self) -> None:
        """Nothing runs: what an interrupted run left in ``running`` goes, and its end is an error."""
        running = self.document["running"]
        if running is not None:
            since = running.get("since") if isinstance(running, dict) else None
            self._write(
                running=None,
                last_attempt={"at": since, "outcome": "failed", "id": None},
                last_error={"at": since, "message": "the run was interrupted: killed, or the host lost its power"},
            )

    def skipped(self) -> None:
        """Our slot passed because a snapshot was still running."""
        self._write(skipped=self.document["skipped"] + 1)

    def delivered(self, manifest: Manifest, now: datetime) -> None:
        """It is good, unless it was taken without quorum."""
        if not manifest.with_quorum:
            self._write(
                running=None,
                last_attempt=_attempt(now, "without-quorum", manifest.id),
                without_quorum=self.document["without_quorum"] + 1,
            )
            return
        good = {
            "id": manifest.id,
            "taken_at": manifest.taken_at.isoformat(),
            "revision": manifest.revision,
            "seconds": round(manifest.total_seconds, 3),
            "bytes": manifest.payload_bytes,
            "verified_at": now.isoformat(),
        }
        self._write(
            running=None,
            last_good=good,
            last_attempt=_attempt(now, "delivered", manifest.id),
            last_error=None,
            told_at=None,
            without_quorum=0,
        )

    def kept_here(self, manifest: Manifest) -> None:
        """The run fails, but left a good snapshot on this disk."""
        self._local_only = manifest.id

    def failed(self, error: HaplaneError, now: datetime) -> bool:
        """A run ended with ``error``. Whether somebody should be told: at first, and then once an hour."""
        told_at = self.document["told_at"]
        tell = told_at is None or (now - datetime.fromisoformat(told_at)).total_seconds() >= TELL_AGAIN_SECONDS
        self._write(
            running=None,
            last_attempt=_attempt(now, "local-only" if self._local_only else "failed", self._local_only),
            last_error={"at": now.isoformat(), "message": str(error)[:2000]},
            told_at=now.isoformat() if tell else told_at,
        )
        return tell

    def write_textfile(self, local_count: int) -> None:
        """For Prometheus' node exporter, where it has a directory."""
        places = [Path(place) for place in self._settings.paths.textfile_directories]
        place = next((place for place in places if place.is_dir()), None)
        if place is not None:
            text = textfile(self._settings.cluster, self._settings.member, self.document, local_count)
            write_file(place / TEXTFILE, text.encode(), 0o644)

    def _write(self, **changes: Any) -> None:
        self.document.update(changes)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_file(self._path, json.dumps(self.document, indent=1).encode() + b"\n", 0o600)


def textfile(cluster: str, member: str, document: Mapping[str, Any], local_count: int) -> str:
    """The metrics ``haplane_snapshot_*``; those that are not known yet are left out."""
    good, attempt = document["last_good"] or {}, document["last_attempt"] or {}
    metrics = (
        ("last_good_timestamp_seconds", "When this member's last good one was taken", _unix(good.get("taken_at"))),
        ("last_good_duration_seconds", "How long its pipeline took", good.get("seconds")),
        ("last_good_size_bytes", "Size of its compressed and encrypted payload", good.get("bytes")),
        ("last_good_revision", "etcd revision it holds", good.get("revision")),
        ("last_attempt_timestamp_seconds", "When this member last tried", _unix(attempt.get("at"))),
        ("last_attempt_success", "1 when that delivered a good snapshot", int(attempt.get("outcome") == "delivered")),
        ("without_quorum", "Snapshots without quorum since the last good one", document["without_quorum"]),
        ("skipped_slots", "Slots passed because a snapshot was still running", document["skipped"]),
        ("local_count", "Snapshots on this member's disk", local_count),
    )  # fmt: skip
    labels = f'{{cluster="{cluster}",member="{member}"}}'
    return "".join(
        f"# HELP haplane_snapshot_{name} {text}.\n# TYPE haplane_snapshot_{name} gauge\n"
        f"haplane_snapshot_{name}{labels} {value}\n"
        for name, text, value in metrics
        if value is not None
    )


def _attempt(now: datetime, outcome: str, snapshot: str | None) -> dict[str, Any]:
    return {"at": now.isoformat(), "outcome": outcome, "id": snapshot}


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return {name: document[name] for name in EMPTY if name in document} if isinstance(document, dict) else {}


def _unix(moment: str | None) -> float | None:
    return datetime.fromisoformat(moment).timestamp() if moment else None
