"""Nodes and their pods, through the API server of any master that is ready (``operations/on_host/node_api.py``)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from pydantic import TypeAdapter, ValidationError

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.domain.drain.cluster import Workloads, parse_workloads
from haplane.domain.drain.pod import Pod
from haplane.errors import HaplaneError, Unreachable
from haplane.host_programs import packed
from haplane.operations.run import on_host

READ_SECONDS = 60
"""Everything of a large cluster: tens of thousands of objects, page by page."""

STEP_SECONDS = 45
"""One node's pods: each request has 20 s, and is answered in milliseconds."""

CORDONED = "haplane/cordoned"
"""The annotation of a Node that haplane cordoned, and which verb did."""


def read_workloads(context: Context, nodes: Iterable[str]) -> Workloads:
    """All that decides what draining these nodes costs."""
    master, answer = _call(context, "read", *nodes, seconds=READ_SECONDS)
    return parse_workloads(master, answer)


def look(context: Context, node: str) -> Workloads:
    """That Node, and its pods."""
    master, answer = _call(context, "look", node)
    return parse_workloads(master, answer)


def cordon(context: Context, node: str, verb: str) -> None:
    """Nothing new onto it. The verb is noted on a Node that nobody had cordoned."""
    _call(context, "cordon", node, verb)


def uncordon(context: Context, node: str) -> None:
    """Whoever cordoned it."""
    _call(context, "uncordon", node)


def evict(context: Context, pods: Sequence[Pod]) -> dict[str, str]:
    """Why the API server refused, by uid; the others are ending, or gone."""
    named = [[pod.metadata.namespace, pod.metadata.name, pod.metadata.uid] for pod in pods]
    master, answer = _call(context, "evict", json.dumps(named))
    try:
        return TypeAdapter(dict[str, str]).validate_json(answer)
    except ValidationError:
        raise HaplaneError(f"{master} returned a response that cannot be read", next_step="re-run") from None


def _call(context: Context, verb: str, *words: str, seconds: float = STEP_SECONDS) -> tuple[str, bytes]:
    """The master that answered, and its answer. Another is tried where one does not.

    Raises HaplaneError with the last one's words, Unreachable when no API server is ready.
    """
    program, port = packed(on_host("node_api")), str(context.inventory.cluster.apiserver_port)
    failure: HaplaneError | None = None
    for master in _serving(context):
        try:
            command = ("python3", "-I", "-c", program, port, verb, *words)
            return master.name, context.executor.run(master, *command, deadline_seconds=seconds)
        except HaplaneError as error:
            failure = error
    raise failure or Unreachable(
        "no API server is ready, so pods can neither be listed nor moved",
        next_step=f"haplane status {context.inventory.path}",
    )


def _serving(context: Context) -> list[Host]:
    """Masters whose API server was ready when last looked at."""
    masters = context.reachable(context.inventory.masters)
    return [host for host in masters if context.report(host).apiserver.ready]
