"""Telling somebody of a failed run: a command, a webhook, or both. Whether they listen changes nothing."""

from __future__ import annotations

import contextlib
import http.client
import json
import urllib.request

from haplane.errors import HaplaneError
from haplane.snapshots import processes
from haplane.snapshots.settings import AgentSettings

ALARM_SECONDS = 10


def sound(settings: AgentSettings, error: HaplaneError) -> None:
    """Give the error to the command's stdin and POST it, as JSON, to the webhook."""
    if settings.on_failure is None:
        return
    text = f"snapshot of {settings.cluster} on {settings.member} failed\n{error}\n"
    if settings.on_failure.command:
        with contextlib.suppress(HaplaneError, OSError):
            processes.attempt(settings.on_failure.command, seconds=ALARM_SECONDS, stdin=text.encode())
    if settings.on_failure.webhook:
        document = {"cluster": settings.cluster, "member": settings.member, "text": text}
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            request = urllib.request.Request(  # noqa: S310 - the inventory allows http and https only
                settings.on_failure.webhook, json.dumps(document).encode(), {"Content-Type": "application/json"}
            )
            urllib.request.urlopen(request, timeout=ALARM_SECONDS).close()  # noqa: S310
