"""The new pods of what exists once in the cluster, before a kubelet is touched."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import upgrade as recipes
from haplane.domain.plan import Kind
from haplane.errors import HaplaneError

DNS = "kube-system/deployment/coredns"
PROXY = "kube-system/daemonset/kube-proxy"
POD_NETWORK = "kube-flannel/daemonset/flannel"
SECONDS = 60
SECONDS_FOR_EACH_NODE = 20
"""A DaemonSet's pods are replaced one after the other: each ends, starts and becomes ready within that."""


def await_rollouts(context: Context) -> None:
    """Raises DeadlinePassed when they do not run in time.

    DaemonSets have pods on hosts that are left out too: where those keep them from completing, that is a warning.
    """
    _await(context, DNS)
    own = context.inventory.cluster.pod_network_manifest is None
    for daemon_set in (PROXY, POD_NETWORK) if own else (PROXY,):
        try:
            _await(context, daemon_set)
        except HaplaneError as error:
            if not context.request.without:
                raise
            left_out = ", ".join(context.request.without)
            context.result.warnings.append(
                f"{daemon_set}: its new pods do not run everywhere ({error.brief}); {left_out} was left out"
            )


def _await(context: Context, workload: str) -> None:
    context.deploy(
        [context.some_master()],
        recipes.wait_for_rollouts,
        workloads=(workload,),
        seconds=SECONDS + SECONDS_FOR_EACH_NODE * len(context.inventory.nodes),
    )


AWAIT_ROLLOUTS = Phase(
    "Wait for new pods", (), await_rollouts, also_after=(Kind.CLUSTER, Kind.UPGRADE_NODE), breakable=True
)
