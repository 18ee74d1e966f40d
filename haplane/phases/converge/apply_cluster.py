"""Cluster-wide objects, applied through the API on any master."""

from __future__ import annotations

from collections.abc import Iterable

from haplane.config.services import dns_service
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import recipes
from haplane.desired.hosts import cluster_wants, dns_fingerprint, proxy_fingerprint
from haplane.desired.manifests import COREDNS_PATCH, cluster_manifest
from haplane.domain.plan import THE_CLUSTER, Kind


def apply_cluster(context: Context) -> None:
    """Kubeadm's configuration, bootstrap rules, add-ons and the pod network."""
    user_files = context.request.user_files
    wants = cluster_wants(
        context.inventory, context.manifest, user_files, verify_kubelets=context.decision.verify_kubelets
    )
    context.deploy(
        [context.some_master()],
        recipes.apply_cluster,
        manifest=cluster_manifest(context.inventory, context.manifest, user_files.pod_network),
        patch=COREDNS_PATCH,
        applied=wants.applied,
        proxy=proxy_fingerprint(context.inventory),
        dns=dns_fingerprint(context.inventory, context.manifest),
        dns_address=str(dns_service(context.inventory.cluster)),
        port=context.inventory.cluster.apiserver_port,
        restart=to_restart(context.plan.items(THE_CLUSTER, Kind.CLUSTER)),
        content_is_ours=context.inventory.cluster.pod_network_manifest is None,
        nodes=[host.name for host in context.reachable(context.inventory.masters)],
    )


def to_restart(changed: Iterable[str]) -> list[str]:
    """Whose pods have to start anew, by the paths of the objects that others deleted or changed."""
    words = {"kube-proxy": "/kube-proxy", "dns": "dns", "network": "/namespaces/kube-flannel"}
    return [name for name, word in words.items() if any(word in path for path in changed)]


APPLY_CLUSTER = Phase("Apply cluster-wide objects", (Kind.CLUSTER,), apply_cluster, breakable=True)
