"""Nodes and their pods, as the API servers that are ready return them (``operations/on_host/node_api.py``)."""

from __future__ import annotations

from collections.abc import Iterable

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.domain.drain.agreed import agreed_look
from haplane.domain.drain.cluster import Workloads, parse_workloads
from haplane.errors import HaplaneError, Unreachable
from haplane.host_programs import packed
from haplane.operations.run import on_host
from haplane.threads import Threads

READ_SECONDS = 60
"""Everything of a large cluster: tens of thousands of objects, page by page."""

STEP_SECONDS = 45
"""One node's pods: each request has 20 s, and is answered in milliseconds."""


def read_workloads(context: Context, nodes: Iterable[str]) -> list[Workloads]:
    """All that decides what draining these nodes costs, as each master that answers reports it."""
    return _ask_all(context, "read", *nodes, seconds=READ_SECONDS)


def look(context: Context, node: str) -> Workloads:
    """That Node, and its pods, as the masters that answer agree on it. Raises HaplaneError when none knows it."""
    views = _ask_all(context, "look", node)
    known = [view for view in views if [one.metadata.name for one in view.nodes] == [node]]
    if not known:
        raise HaplaneError(
            f"no API server returned the Node {node}", next_step=f"`haplane status {context.inventory.path}`"
        )
    return agreed_look(known)


def ask_any(context: Context, verb: str, *words: str, seconds: float = STEP_SECONDS) -> tuple[str, bytes]:
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
    raise failure or _none_ready(context)


def _ask_all(context: Context, verb: str, *words: str, seconds: float = STEP_SECONDS) -> list[Workloads]:
    """Of every master whose API server is ready, at once; those that do not answer are left out.

    Raises as :func:`ask_any` does when none answers.
    """
    port, masters = str(context.inventory.cluster.apiserver_port), _serving(context)
    command = ("python3", "-I", "-c", packed(on_host("node_api")), port, verb, *words)
    failures: list[HaplaneError] = []

    def ask(master: Host) -> Workloads | None:
        try:
            return parse_workloads(master.name, context.executor.run(master, *command, deadline_seconds=seconds))
        except HaplaneError as error:
            failures.append(error)
            return None

    with Threads(len(masters)) as pool:
        views = [view for view in pool.map(ask, masters) if view is not None]
    if views:
        return views
    raise failures[-1] if failures else _none_ready(context)


def _none_ready(context: Context) -> Unreachable:
    return Unreachable(
        "no API server is ready, so pods can neither be listed nor moved",
        next_step=f"`haplane status {context.inventory.path}`",
    )


def _serving(context: Context) -> list[Host]:
    """Masters whose API server was ready when last looked at."""
    masters = context.reachable(context.inventory.masters)
    return [host for host in masters if context.report(host).apiserver.ready]
