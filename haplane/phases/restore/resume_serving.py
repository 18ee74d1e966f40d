"""API servers started: the outage ends."""

from __future__ import annotations

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import restore as recipes
from haplane.domain import host_paths
from haplane.domain.plan import MASTER_EVIDENCE
from haplane.observation.restore import hosts_of, up_to


def resume_serving(context: Context) -> None:
    """API servers, controllers, schedulers and kubelets, all with empty memories."""
    masters = [host for host in hosts_of(context) if host in context.inventory.masters]
    context.deploy(masters, recipes.resume_serving)
    served = [host for host in masters if _has_served(context, host)]
    context.deploy(served, recipes.wait_for_control_planes, port=context.inventory.cluster.apiserver_port)
    context.deploy(context.reachable(context.inventory.workers), recipes.restart_kubelets)
    if context.result.outage_began is not None:
        context.result.outage_seconds = round(context.executor.monotonic() - context.result.outage_began, 1)


def _has_served(context: Context, host: Host) -> bool:
    """Whether its API server only has to be started; kubeadm's phases make the others."""
    files = context.report(host).files
    return all(path in files or host_paths.MOVED_MANIFESTS.get(path) in files for path in MASTER_EVIDENCE)


RESUME_SERVING = Phase("Start API servers", (), resume_serving, when=up_to("serving"))
