"""What an inventory has sent over plain http. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from haplane.config.snapshots import Snapshots

PLAIN = "http://"


def sent_in_clear(snapshots: Snapshots | None) -> tuple[str, ...]:
    """A sentence for each setting whose traffic others can read and answer."""
    if snapshots is None:
        return ()
    found = []
    if snapshots.s3 is not None and (snapshots.s3.endpoint_url or "").startswith(PLAIN):
        found.append(
            f"snapshots.s3.endpoint_url is {_shown(snapshots.s3.endpoint_url)}: snapshots stay encrypted and signed, "
            "but anyone on the path can see when they are taken, and withhold, delete or replay them. Use https"
        )
    if (snapshots.on_failure.webhook or "").startswith(PLAIN):
        found.append(
            f"snapshots.on_failure.webhook is {_shown(snapshots.on_failure.webhook)}: anyone on the path can "
            "read what failed and withhold it. Use https"
        )
    return tuple(found)


def _shown(url: str | None) -> str:
    """Without what is often secret in it: user, password, path and query."""
    return f"{PLAIN}{(urlsplit(url or '').netloc).rpartition('@')[2]}"
