"""Webhooks that convert custom resources between versions, and do not answer: then nobody can read those.

The collector of garbage and the deletion of namespaces read them all, and wait.
"""

from __future__ import annotations

from typing import Any

from haplane.facts.on_host.kubernetes import METADATA_LISTS, MOST_TEXT, Ask, seen_by_admin
from haplane.facts.on_host.webhooks import services_of, unanswered

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MOST_CONVERTED = 30


def silent_conversions(port: int) -> list[dict[str, Any]]:
    """Name of each such definition, and why its webhook does not answer; none while no API server does."""
    return seen_by_admin(port, unconverted)


def unconverted(api: Ask) -> list[dict[str, Any]]:
    """The same by what ``api`` returns. Definitions are large: those alone are read in whole."""
    every = f"{DEFINITIONS}?limit=1000"
    listed = api([every], accept=METADATA_LISTS)[every]["items"]
    paths = [f"{DEFINITIONS}/{one['metadata']['name']}" for one in listed if names_a_webhook(one)][:MOST_CONVERTED]
    hooks = [hook for one in (api(paths) if paths else {}).values() for hook in conversion_of(one)]
    more = api(services_of(hooks)) if services_of(hooks) else {}
    found = unanswered(hooks, more)
    return [{"name": one["name"], "why": str(one["why"])[:MOST_TEXT], "target": one["target"]} for one in found]


def names_a_webhook(item: dict[str, Any]) -> bool:
    """Whether somebody wrote where a definition is converted, by its metadata."""
    fields = (one.get("fieldsV1", {}).get("f:spec", {}) for one in item["metadata"].get("managedFields", []))
    return any("f:webhook" in spec.get("f:conversion", {}) for spec in fields)


def conversion_of(definition: dict[str, Any]) -> list[dict[str, Any]]:
    """Its webhook, as :func:`unanswered` takes it, where there is more than one version to convert."""
    spec = definition["spec"]
    conversion = spec.get("conversion", {})
    several = sum(bool(one.get("served")) for one in spec["versions"]) > 1
    if conversion.get("strategy") != "Webhook" or not several:
        return []
    name = definition["metadata"]["name"]
    return [{"name": name, "webhook": name, "client": conversion["webhook"]["clientConfig"]}]
