"""Custom resources on the scratch API server: their conversion webhooks run in the cluster, not here.

Without its webhook every read of objects that are stored in another version fails. On the scratch server it is
therefore removed from the definition: objects are read as they are stored, and their conversion is reported as not
checked. Nor does the API server then call addresses that the data names.
"""

from __future__ import annotations

import contextlib
import json
import re
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from haplane.errors import DeadlinePassed
from haplane.waiting import wait_until

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
PAGE = 500
SERVED_SECONDS = 30.0
UNCONVERTED = {"spec": {"conversion": {"strategy": "None", "webhook": None}}}


class Client(Protocol):
    """A client of the scratch API server. Its methods raise OSError."""

    def get(self, path: str, *, seconds: float = 60) -> Any: ...  # noqa: ANN401 - any JSON

    def patch(self, path: str, change: Mapping[str, object]) -> None: ...

    def resources(self) -> list[str]: ...


@dataclass(frozen=True)
class Custom:
    """The custom resources by name, like ``widgets.example.org``, and which of them had a conversion webhook."""

    names: frozenset[str] = frozenset()
    converted: frozenset[str] = frozenset()


def name_of(path: str) -> str:
    """``/apis/example.org/v1/widgets`` gives ``widgets.example.org``; a built-in resource gives no custom name."""
    words = path.split("/")
    return f"{words[-1]}.{words[2]}" if words[1] == "apis" else words[-1]


def without_webhooks(client: Client) -> Custom:
    """Remove conversion webhooks, and wait until every definition is served or SERVED_SECONDS have passed.

    What is not served then is reported by the caller. Raises OSError.
    """
    names, converted = set(), set()
    for definition in _definitions(client):
        name = str(definition.get("metadata", {}).get("name", ""))
        if not NAME.fullmatch(name):
            continue
        names.add(name)
        if (definition.get("spec", {}).get("conversion") or {}).get("strategy") == "Webhook":
            converted.add(name)
            with contextlib.suppress(urllib.error.HTTPError):  # what cannot be read then is reported
                client.patch(f"{DEFINITIONS}/{name}", UNCONVERTED)
    with contextlib.suppress(DeadlinePassed):  # the caller reports what is not served
        wait_until(lambda: names <= {name_of(path) for path in client.resources()}, SERVED_SECONDS, "it is served")
    return Custom(frozenset(names), frozenset(converted))


def _definitions(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    more = ""
    while True:
        page = client.get(f"{DEFINITIONS}?limit={PAGE}&continue={more}")
        found += page.get("items") or ()
        more = page["metadata"].get("continue", "")
        if not more:
            return found


def reason(body: bytes) -> str:
    """The message in a response of an API server."""
    try:
        text = str(json.loads(body)["message"])
    except (ValueError, LookupError, TypeError):
        text = body.decode(errors="replace")
    return text[:300]
