"""What the agent records of its runs, for `haplane status`: /var/lib/haplane/snapshot-state.json.

::

    {"last_good": {"id", "taken_at", "revision", "seconds", "bytes", "verified_at"} | null,
     "last_attempt": {"at", "outcome": "delivered" | "without-quorum" | "local-only" | "failed", "id" | null} | null,
     "last_error": {"at", "message"} | null,          null again after the next verified snapshot
     "without_quorum": N,                              since the last verified snapshot
     "skipped": N,                                     own slots skipped, because another snapshot was still running
     "running": {"since"} | null,
     "told_at": null}                                  when the alarm was last raised, null after a verified snapshot

Times are UTC, ISO 8601. ``last_good`` was taken with quorum, verified, and is in the bucket where there is one. The
field names are those of older versions, which read and write this file too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from haplane.agent.local import write_file
from haplane.agent.manifest import Manifest
from haplane.agent.settings import AgentSettings
from haplane.errors import HaplaneError

TEXTFILE = "haplane_snapshot.prom"
ALARM_AGAIN_SECONDS = 3600
EMPTY: Mapping[str, Any] = {
    "last_good": None, "last_attempt": None, "last_error": None, "without_quorum": 0, "skipped": 0, "running": None,
    "told_at": None,
}  # fmt: skip


class State:
    """Read when it is created; every change is on the disk when its method returns. The caller holds the lock."""

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings
        self._path = Path(settings.paths.state)
        self._local_only: str | None = None
        self.document = {**EMPTY, **_read(self._path)}

    def begun(self, now: datetime) -> None:
        """Record that a run has started."""
        self._write(running={"since": now.isoformat()})

    def idle(self) -> None:
        """Record that nothing runs; a run that is still noted was interrupted, which is an error."""
        running = self.document["running"]
        if running is not None:
            since = running.get("since") if isinstance(running, dict) else None
            self._write(
                running=None,
                last_attempt={"at": since, "outcome": "failed", "id": None},
                last_error={"at": since, "message": "the run was interrupted: it was killed, or the host lost power"},
            )

    def skipped(self) -> None:
        """Count a slot of this member that passed while a snapshot was still running."""
        self._write(skipped=self.document["skipped"] + 1)

    def delivered(self, manifest: Manifest, now: datetime) -> None:
        """Record a snapshot: it is verified, unless it was taken without quorum."""
        if not manifest.with_quorum:
            self._write(
                running=None,
                last_attempt=_attempt(now, "without-quorum", manifest.id),
                without_quorum=self.document["without_quorum"] + 1,
            )
            return
        verified = {
            "id": manifest.id,
            "taken_at": manifest.taken_at.isoformat(),
            "revision": manifest.revision,
            "seconds": round(manifest.total_seconds, 3),
            "bytes": manifest.payload_bytes,
            "verified_at": now.isoformat(),
        }
        self._write(
            running=None,
            last_good=verified,
            last_attempt=_attempt(now, "delivered", manifest.id),
            last_error=None,
            told_at=None,
            without_quorum=0,
        )

    def kept_here(self, manifest: Manifest) -> None:
        """Record that the run fails, but has left a complete snapshot on this disk."""
        self._local_only = manifest.id

    def failed(self, error: HaplaneError, now: datetime) -> bool:
        """Record that a run ended with ``error``. Returns whether the alarm is due: hourly, once it was raised."""
        self._write(
            running=None,
            last_attempt=_attempt(now, "local-only" if self._local_only else "failed", self._local_only),
            last_error={"at": now.isoformat(), "message": str(error)[:2000]},
        )
        since = _unix(self.document["told_at"])
        return since is None or not 0 <= now.timestamp() - since < ALARM_AGAIN_SECONDS

    def told(self, now: datetime) -> None:
        """Record that the alarm was raised, and reached somebody."""
        self._write(told_at=now.isoformat())

    def write_textfile(self, local_count: int) -> None:
        """Write the metrics for Prometheus' node exporter, into the first of its directories that exists."""
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
    """The metrics ``haplane_snapshot_*``; unknown ones are left out."""
    last, attempt = document["last_good"] or {}, document["last_attempt"] or {}
    metrics = (
        ("last_good_timestamp_seconds", "When the last verified snapshot was taken", _unix(last.get("taken_at"))),
        ("last_good_duration_seconds", "How long its pipeline took", last.get("seconds")),
        ("last_good_size_bytes", "Size of its compressed and encrypted payload", last.get("bytes")),
        ("last_good_revision", "etcd revision it holds", last.get("revision")),
        ("last_attempt_timestamp_seconds", "When this member last tried", _unix(attempt.get("at"))),
        ("last_attempt_success", "1 when that succeeded with quorum", int(attempt.get("outcome") == "delivered")),
        ("without_quorum", "Snapshots without quorum since the last verified snapshot", document["without_quorum"]),
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
    """The fields with a valid value; a damaged file counts as empty."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {name: document[name] for name in EMPTY if name in document and _fits(name, document[name])}


def _fits(name: str, value: object) -> bool:
    if isinstance(EMPTY[name], int):
        return type(value) is int and value >= 0
    return value is None or isinstance(value, str if name == "told_at" else dict)


def _unix(timestamp: object) -> float | None:
    try:
        return datetime.fromisoformat(str(timestamp)).timestamp() if timestamp else None
    except (ValueError, OverflowError):
        return None
