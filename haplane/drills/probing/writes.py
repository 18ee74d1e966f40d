"""The writes of a drill: where they go, and whether all that were acknowledged are still there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from haplane.drills.probing.client import Client, NoReply, Reply
from haplane.drills.probing.probe import WRITE_LABEL, configmaps_path
from haplane.errors import HaplaneError
from haplane.waiting import wait_until

ANSWER_SECONDS = 30.0
PAGE = 500
PREFIX = "haplane-drill-"
"""Of the namespaces that drills make."""
DRIVER_SUFFIX = "-volumes"
"""Of the namespace of the driver whose volumes pods in the one without it have."""


def make_namespace(client: Client, namespace: str, labels: Mapping[str, str] = MappingProxyType({})) -> None:
    """Create a namespace of a drill's own. Raises HaplaneError when the API server refuses."""
    metadata = {"name": namespace, "labels": {WRITE_LABEL: "true", **labels}}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    create(client, "/api/v1/namespaces", body)


def make_pods_namespace(client: Client, namespace: str) -> None:
    """The same, and wait until pods may be created in it: those without an account, made meanwhile, are refused."""
    make_namespace(client, namespace)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    what = f"the namespace {namespace} has its default service account"
    wait_until(lambda: request_until_answered(client, "GET", path).ok, ANSWER_SECONDS, what, every=0.2)


def create(client: Client, path: str, body: Mapping[str, Any]) -> None:
    """Make one object in the collection at ``path``. Raises HaplaneError when the API server refuses."""
    reply = request_until_answered(client, "POST", path, body)
    if not reply.ok and reply.status != 409:  # an earlier attempt that was answered too late may have made it
        what = f"cannot create {body['kind']} {body['metadata']['name']}"
        raise HaplaneError(what, why=f"{reply.status}: {reply.body[:300]!r}")


def remove_namespace(client: Client, namespace: str) -> None:
    """Ask for the namespace to be deleted; the cluster does so later."""
    request_until_answered(client, "DELETE", f"/api/v1/namespaces/{namespace}")


def remove_left_namespaces(client: Client) -> None:
    """Those of drills that were killed. Under the cluster's lock: no other drill runs.

    A volume driver's stays as long as there are pods whose volumes it has to unmount.
    """
    reply = request_until_answered(client, "GET", f"/api/v1/namespaces?labelSelector={WRITE_LABEL}%3Dtrue")
    found = [str(one["metadata"]["name"]) for one in (reply.document().get("items", ()) if reply.ok else ())]
    for name in found:
        is_needed = name.endswith(DRIVER_SUFFIX) and name.removesuffix(DRIVER_SUFFIX) in found
        if name.startswith(PREFIX) and not is_needed:
            remove_namespace(client, name)


def lost_writes(client: Client, namespace: str, acknowledged: Iterable[int]) -> tuple[int, ...]:
    """The acknowledged writes that cannot be read back, or hold something else, in order."""
    kept = set(_read_back(client, namespace))
    return tuple(sorted(number for number in acknowledged if number not in kept))


def _read_back(client: Client, namespace: str) -> list[int]:
    numbers: list[int] = []
    more = ""
    while True:
        path = f"{configmaps_path(namespace)}?labelSelector={WRITE_LABEL}%3Dwrite&limit={PAGE}&continue={quote(more)}"
        reply = request_until_answered(client, "GET", path)
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


def request_until_answered(client: Client, method: str, path: str, body: object = None) -> Reply:
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
