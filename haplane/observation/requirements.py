"""Hosts that do not meet the requirements: refused, or left out where the cluster exists without them."""

from __future__ import annotations

from collections.abc import Sequence

from haplane.config.model import Host, Inventory
from haplane.context.context import Context
from haplane.context.phase import Look
from haplane.desired.files import runs_haproxy
from haplane.domain import host_paths, preflight
from haplane.domain.moved_hosts import moved_hosts
from haplane.domain.observed import LeftOut
from haplane.domain.other_clusters import etcd_of_another_cluster, workers_of_another_cluster
from haplane.domain.plan import MASTER_EVIDENCE
from haplane.domain.site import Site, site_problems
from haplane.domain.stale_members import stale_etcd
from haplane.errors import HaplaneError, UnfitHosts
from haplane.observation.observe import cluster_exists, leave_out, observe
from haplane.platforms import PLATFORMS

SECOND_LOOK_SECONDS = 1.0
"""Hosts do not answer at the same moment: between their answers the endpoint's address may have moved."""


def refuse_unfit_hosts(context: Context) -> None:
    """Raises UnfitHosts with every problem of every host, if a second look finds the same."""
    _refuse(context, keys_to_come=False)


def refuse_unfit_hosts_without_keys(context: Context) -> None:
    """The same where keys are still to come: who brings them compares them with what the members trust."""
    _refuse(context, keys_to_come=True)


def _refuse(context: Context, *, keys_to_come: bool) -> None:
    if _unfit(context, keys_to_come):
        context.executor.sleep(SECOND_LOOK_SECONDS)
        observe(context)
        _leave_out_unfit(context, keys_to_come)
        if found := _unfit(context, keys_to_come):
            raise UnfitHosts("these hosts do not meet the requirements; nothing was changed", found)


def _leave_out_unfit(context: Context, keys_to_come: bool) -> None:
    """A worker or load balancer must not be able to keep the masters of a cluster that exists from being repaired.

    Of hosts that have something the same that must differ, those that are neither are left out.
    """
    if not cluster_exists(context):
        return
    inventory = context.inventory
    left_out: dict[str, LeftOut] = {}
    needed = inventory.masters + inventory.etcd
    kept = [host.name for host in context.reachable(needed)]
    for host in context.reachable(inventory.hosts):
        if host in needed:
            continue
        if found := [*_unfit(context, keys_to_come, (host,)), *_clashes(context, kept, host.name)]:
            whys = dict.fromkeys(f"{error.what} ({error.why})" if error.why else error.what for error in found)
            steps = dict.fromkeys(error.next_step for error in found if error.next_step)
            left_out[host.name] = LeftOut(f"does not meet the requirements: {'; '.join(whys)}", "; ".join(steps))
        else:
            kept.append(host.name)
    leave_out(context, left_out)


def _clashes(context: Context, kept: Sequence[str], name: str) -> list[HaplaneError]:
    """What is wrong with that host only beside those that are kept."""
    site, reports = _site(context.inventory), context.observation.reports
    known = {error.what for error in site_problems(site, {one: reports[one] for one in kept})}
    both = site_problems(site, {one: reports[one] for one in (*kept, name)})
    return [error for error in both if error.what not in known]


def _unfit(context: Context, keys_to_come: bool, hosts: Sequence[Host] | None = None) -> list[HaplaneError]:
    """What is wrong with these hosts, or with any of the inventory's."""
    inventory, view = context.inventory, context.view
    asked = [host for host in hosts or inventory.hosts if host.name not in context.request.restore.without]
    reports = {host.name: context.report(host) for host in context.reachable(asked)}
    needs = preflight.Needs(context.manifest.architecture, context.manifest.kubernetes_version, PLATFORMS)
    found = preflight.problems(_expectations(inventory), reports, view.window, needs)
    members, workers = ([host.name for host in group] for group in (inventory.etcd, inventory.workers))
    etcd_digest = view.digest_on(inventory.masters, host_paths.ETCD_CA_CRT)
    if etcd_digest is not None or not keys_to_come:
        found += etcd_of_another_cluster(etcd_digest, members, reports, host_paths.ETCD_MEMBER_CA_CRT)
    digest = view.digest_on(inventory.masters, host_paths.KUBERNETES_CA_CRT)
    found += workers_of_another_cluster(digest, workers, reports, host_paths.KUBERNETES_CA_CRT)
    found += moved_hosts({host.name: str(host.address) for host in inventory.masters}, reports, MASTER_EVIDENCE)
    found += site_problems(_site(inventory), reports)
    found += stale_etcd(members, reports, context.request.repaired)
    return found


def _site(inventory: Inventory) -> Site:
    cluster = inventory.cluster
    return Site(
        masters=tuple(str(host.address) for host in inventory.masters + inventory.leaving),
        hosts=frozenset(str(host.address) for host in inventory.hosts),
        nodes=frozenset(host.name for host in inventory.nodes),
        balancers=frozenset(host.name for host in inventory.hosts if runs_haproxy(inventory, host)),
        endpoint=cluster.endpoint.address,
        pod_network=str(cluster.pod_network),
        service_network=str(cluster.service_network),
        own_pod_network=cluster.pod_network_manifest is None,
        proxy_mode=cluster.proxy_mode,
        resolv_conf_is_set="resolvConf" in cluster.tuning.kubelet,
    )


def _expectations(inventory: Inventory) -> dict[str, preflight.Expectations]:
    cluster = inventory.cluster
    return {
        host.name: preflight.Expectations(
            address=str(host.address),
            is_node=host in inventory.nodes,
            is_balancer=host in inventory.balancer_hosts,
            tolerates_cgroups_v1=cluster.tuning.kubelet.get("failCgroupV1") is False,
            evicts_by_default="evictionHard" not in cluster.tuning.kubelet,
            tolerates_swap=cluster.tuning.tolerates_swap,
            ports=preflight.ports_of(
                inventory.roles(host), apiserver_port=cluster.apiserver_port, endpoint_port=cluster.endpoint.port
            ),
            endpoint=str(cluster.endpoint),
            runs_etcd=host in inventory.etcd,
            takes_snapshots=cluster.snapshots is not None and host in inventory.etcd,
        )
        for host in inventory.hosts
    }


REFUSE_UNFIT_HOSTS = Look("Refuse hosts that do not meet the requirements", refuse_unfit_hosts)
REFUSE_UNFIT_HOSTS_WITHOUT_KEYS = Look(
    "Refuse hosts that do not meet the requirements, wherever the keys are", refuse_unfit_hosts_without_keys
)
