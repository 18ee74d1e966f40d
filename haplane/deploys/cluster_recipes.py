"""What one master does for all, through the API."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.deploy import deploy

from haplane.operations import cluster, timeouts


@deploy("Replace pods")
def replace_pods(node: str, pods: Sequence[str]) -> None:
    """Of DaemonSets, on one node; each comes back within 90 s."""
    cluster.replace_pods(
        node=node,
        pods=pods,
        name=f"Replace {', '.join(one.split('/')[1] for one in pods)} on {node}",
        _timeout=timeouts.NODES * len(pods),
    )
