"""Nodes cordoned and pods evicted, through any API server that is ready (``operations/on_host/node_api.py``)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from haplane.context.context import Context
from haplane.domain.drain.pod import Pod
from haplane.domain.validation import unreadable
from haplane.observation.workloads import ask_any

CORDONED = "haplane/cordoned"
"""The annotation of a Node that haplane cordoned, and which verb did."""


def cordon(context: Context, node: str, verb: str) -> None:
    """Nothing new onto it. The verb is noted on a Node that nobody had cordoned."""
    ask_any(context, "cordon", node, verb)


def uncordon(context: Context, node: str) -> None:
    """Whoever cordoned it."""
    ask_any(context, "uncordon", node)


def evict(context: Context, pods: Sequence[Pod]) -> dict[str, str]:
    """Why the API server refused, by uid; the others are ending, or gone."""
    named = [[pod.metadata.namespace, pod.metadata.name, pod.metadata.uid] for pod in pods]
    master, answer = ask_any(context, "evict", json.dumps(named))
    try:
        return TypeAdapter(dict[str, str]).validate_json(answer)
    except ValidationError as error:
        raise unreadable(master, "a response", error) from None
