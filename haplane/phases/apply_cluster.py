"""What exists once in a cluster, through the API, by whichever master is asked."""

from __future__ import annotations

from haplane.deploys import recipes
from haplane.desired.files import KUBEADM_CONFIG
from haplane.desired.hosts import cluster_wants, dns_fingerprint, proxy_fingerprint
from haplane.desired.manifests import COREDNS_PATCH, cluster_manifest
from haplane.domain.plan import Kind
from haplane.phases.phase import Phase, Run
from haplane.remote.session import deploy


def apply_cluster(run: Run) -> None:
    """Kubeadm's configuration, bootstrap rules, add-ons and the pod network."""
    deploy(
        [run.some_master()],
        recipes.apply_cluster,
        run.progress,
        config=KUBEADM_CONFIG,
        manifest=cluster_manifest(run.inventory, run.manifest),
        patch=COREDNS_PATCH,
        applied=cluster_wants(run.inventory, run.manifest).applied,
        proxy=proxy_fingerprint(run.inventory),
        dns=dns_fingerprint(run.inventory, run.manifest),
        nodes=[host.name for host in run.reachable(run.inventory.masters)],
    )


def mark_masters(run: Run) -> None:
    """The control-plane label, and the taint the inventory asks for."""
    nodes = run.plan.hosts(Kind.MARK)
    run_pods = run.inventory.cluster.masters_run_pods
    deploy([run.some_master()], recipes.mark_masters, run.progress, nodes=nodes, run_pods=run_pods)


APPLY_CLUSTER = Phase("Apply what exists once in the cluster", (Kind.CLUSTER,), apply_cluster, breakable=True)
MARK_MASTERS = Phase("Mark masters", (Kind.MARK,), mark_masters)
