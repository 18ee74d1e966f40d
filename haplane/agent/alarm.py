"""The alarm of a failed run: a command, a webhook, or both. A failing alarm does not change the run's outcome."""

from __future__ import annotations

import contextlib
import json
import urllib.request

from haplane.agent import processes
from haplane.agent.deadlines import within
from haplane.agent.settings import AgentSettings
from haplane.errors import HaplaneError

ALARM_SECONDS = 10


def sound(settings: AgentSettings, error: HaplaneError) -> None:
    """Pass the error to the command on stdin and POST it, as JSON, to the webhook."""
    if settings.on_failure is None:
        return
    text = f"snapshot of {settings.cluster} on {settings.member} failed\n{error}\n"
    if settings.on_failure.command:
        with contextlib.suppress(Exception):
            processes.attempt(settings.on_failure.command, seconds=ALARM_SECONDS, stdin=text.encode())
    if settings.on_failure.webhook:
        document = {"cluster": settings.cluster, "member": settings.member, "text": text}
        with contextlib.suppress(Exception):
            request = urllib.request.Request(  # noqa: S310 - the inventory allows http and https only
                settings.on_failure.webhook, json.dumps(document).encode(), {"Content-Type": "application/json"}
            )
            within(ALARM_SECONDS, lambda: urllib.request.urlopen(request, timeout=ALARM_SECONDS).close())  # noqa: S310
