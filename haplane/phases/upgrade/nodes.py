"""Kubelets and container runtimes, one node at a time: masters, then workers. Pods' containers run on.

Static pods do not: a kubelet derives their UID from the whole Pod object, which has other fields in another minor
version, so it ends them and starts them anew (applyDefaults in pkg/kubelet/config/common.go). So a master's API
server is out of service before its kubelet is: docs/decisions/2026-11-29-static-pods-and-new-kubelets.md.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import upgrade as recipes
from haplane.domain.guard import may_restart_apiserver, where_others_carry_on
from haplane.domain.plan import Kind
from haplane.domain.upgrade_plan import Group
from haplane.errors import HaplaneError, Refused
from haplane.observation.guard import refuse_unless
from haplane.observation.observe import observe_briefly
from haplane.observation.waiting import Obstacle, look_until_clear
from haplane.procedures.out_of_service import put_back, take_out
from haplane.procedures.switch import switching
from haplane.procedures.timed import timed

READY_SECONDS = 60.0
"""A node whose kubelet was restarted reports Ready within 10 s, on a busy host within that."""


def upgrade_nodes(context: Context) -> None:
    """Each is Ready in its new version before the next: at most one is unavailable by our hand."""
    for host in context.hosts(Kind.UPGRADE_NODE):
        _refuse_while_another_is_away(context, host)
        _refuse_unsafe(context, host)
        again = partial(_start_again, context, host)
        with timed(context, host.name, Kind.UPGRADE_NODE), switching(context, host, Group.NODE, again) as begin:
            begin()
            context.deploy([host], recipes.write_kubelet_config)
            if host in context.inventory.masters:
                take_out(context, host)
            _restart(context, host)
            context.deploy(
                [context.some_master()],
                recipes.wait_for_node,
                node=host.name,
                version=context.manifest.kubernetes_version,
            )


def _refuse_unsafe(context: Context, host: Host) -> None:
    masters = context.inventory.masters
    if host in masters:
        refuse_unless(context, host, masters, where_others_carry_on(may_restart_apiserver, len(masters)))


def _restart(context: Context, host: Host) -> None:
    runtime = host.name in context.plan.hosts(Kind.RUNTIME)
    context.deploy([host], recipes.restart_node, runtime=runtime)
    if host in context.inventory.masters:
        put_back(context, host)


def _start_again(context: Context, host: Host) -> None:
    """In its old version. An API server that serves by then is out of service before, if its kubelet ends it."""
    observe_briefly(context)
    if host in context.reachable(context.inventory.masters) and context.report(host).apiserver.ready:
        with suppress(HaplaneError):
            take_out(context, host)
    _restart(context, host)


def _refuse_while_another_is_away(context: Context, host: Host) -> None:
    """Raises Refused while another node of the inventory that is not left out is not Ready, or nobody knows."""
    names = {one.name for one in context.inventory.nodes} - {host.name, *context.request.without}

    def away() -> Obstacle | None:
        kubernetes = context.observation.kubernetes()
        if kubernetes is None:
            return Obstacle(host.name, "waiting: no API server reports nodes")
        lost = sorted(names - {node.name for node in kubernetes.nodes if node.ready})
        return Obstacle(host.name, f"waiting: {', '.join(lost)} not Ready") if lost else None

    observe_briefly(context)
    if found := look_until_clear(context, away, READY_SECONDS, look=observe_briefly):
        raise Refused(
            f"{host.name} is not upgraded while another node is away",
            why=found.message.removeprefix("waiting: "),
            next_step="bring it back (`haplane status INVENTORY` shows why it is not Ready), then run again",
        )


UPGRADE_NODES = Phase(
    "Upgrade kubelets and container runtimes, one node at a time", (Kind.UPGRADE_NODE,), upgrade_nodes
)
