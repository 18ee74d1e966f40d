"""The alarm of a failed run: a command, a webhook, or both. A failing alarm does not change the run's outcome."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from haplane.agent import processes
from haplane.agent.deadlines import within
from haplane.agent.settings import AgentSettings
from haplane.errors import HaplaneError

ALARM_SECONDS = 10


@dataclass(frozen=True)
class Sounded:
    """Whether one way worked, and why others did not."""

    heard: bool
    failures: tuple[str, ...] = ()


def sound(settings: AgentSettings, error: HaplaneError) -> Sounded:
    """Pass the error to the command on stdin and POST it, as JSON, to the webhook."""
    ways: dict[str, Callable[[], None]] = {}
    text = f"snapshot of {settings.cluster} on {settings.member} failed\n{error}\n"
    document = {"cluster": settings.cluster, "member": settings.member, "text": text}
    if settings.on_failure and (command := settings.on_failure.command):
        ways["on_failure.command"] = lambda: _run(command, text)
    if settings.on_failure and (webhook := settings.on_failure.webhook):
        ways["on_failure.webhook"] = lambda: within(ALARM_SECONDS, lambda: _post(webhook, document))
    failures = []
    for name, way in ways.items():
        try:
            way()
        except Exception as failure:  # noqa: BLE001 - of any kind: it is the run's failure that counts
            failures.append(f"{name} did not work: {type(failure).__name__}: {str(failure)[:300]}")
    return Sounded(len(failures) < len(ways), tuple(failures))


def _run(command: tuple[str, ...], text: str) -> None:
    done = processes.attempt(command, seconds=ALARM_SECONDS, stdin=text.encode())
    if done.returncode != 0:
        raise OSError(f"exit status {done.returncode}")


def _post(url: str, document: dict[str, str]) -> None:
    """Raises OSError for an answer that is an error, too."""
    request = urllib.request.Request(  # noqa: S310 - the inventory allows http and https only
        url, json.dumps(document).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=ALARM_SECONDS).close()  # noqa: S310
