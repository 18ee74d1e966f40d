"""The new pods of what exists once in the cluster, before a kubelet is touched."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import upgrade as recipes
from haplane.domain.plan import Kind

WORKLOADS = ("kube-system/daemonset/kube-proxy", "kube-system/deployment/coredns")
POD_NETWORK = "kube-flannel/daemonset/flannel"
SECONDS = 60
SECONDS_FOR_EACH_NODE = 20
"""A DaemonSet's pods are replaced one after the other: each ends, starts and becomes ready within that."""


def await_rollouts(context: Context) -> None:
    """Raises DeadlinePassed when they do not run in time."""
    own = context.inventory.cluster.pod_network_manifest is None
    context.deploy(
        [context.some_master()],
        recipes.wait_for_rollouts,
        workloads=(*WORKLOADS, POD_NETWORK) if own else WORKLOADS,
        seconds=SECONDS + SECONDS_FOR_EACH_NODE * len(context.inventory.nodes),
    )


AWAIT_ROLLOUTS = Phase(
    "Wait for new pods", (), await_rollouts, also_after=(Kind.CLUSTER, Kind.UPGRADE_NODE), breakable=True
)
