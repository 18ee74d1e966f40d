"""Wait until the cluster serves, then look at all of it once more and judge."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from haplane.bundle.manifest import Manifest
from haplane.config.model import Inventory
from haplane.context.context import Context
from haplane.context.phase import Look
from haplane.desired.certificates import every_certificate
from haplane.desired.hosts import needed_paths, nftables, programs_of, units
from haplane.desired.keys import api_servers
from haplane.domain.answers import TOO_LATE
from haplane.domain.problem import Ends
from haplane.domain.status import Roster, Status, passing_problems, summarise, summarise_certificates
from haplane.domain.status.hosts import replaced_copies
from haplane.domain.steps.host import changed_files
from haplane.errors import Unreachable
from haplane.observation.observe import observe
from haplane.observation.waiting import Obstacle, look_until_clear
from haplane.pki.cluster_identity import IDENTITY_PATHS

SETTLE_SECONDS = 20.0
"""What controllers and load balancers check every few seconds follows within that."""

BACK_OFF_SECONDS = 100.0
"""A kubelet starts a container that crashed again after 10 s, then 20, 40 and 80, whatever was repaired meanwhile."""

LATE_SECONDS = 200.0
"""A host that did not report in time is looked at again, for longer than one look may take."""

SETTLE_AT_MOST_SECONDS = 300.0
"""While the problems change, something is on its way: pods that start one after the other on a slow machine."""


def verify_health(context: Context) -> None:
    """The status of the cluster, once what lags behind the nodes has settled.

    At once after a dry run, and when a host was lost meanwhile.
    """
    known = set(context.observation.unreachable)
    if context.result.changed:
        look_at_all(context)
    lost = not set(context.observation.unreachable) - late_hosts(context) <= known
    context.result.status = judge(context) if lost or context.request.dry_run else settled(context)


def look_at_all(context: Context) -> None:
    """Observe; that no host reports is a result here too."""
    with suppress(Unreachable):
        observe(context)


def late_hosts(context: Context) -> set[str]:
    """Hosts that are there, and were too slow to report."""
    return {name for name, why in context.observation.unreachable.items() if why.startswith(TOO_LATE)}


def settled(context: Context) -> Status:
    """Status of what was last observed once nothing is wrong that may pass, or the same was for SETTLE_SECONDS."""
    status: Status

    def passing() -> Obstacle | None:
        nonlocal status
        status = judge(context)
        late = late_hosts(context)
        found = passing_problems(status, set(context.observation.unreachable) - late)
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        in_back_off = any(problem.ends is Ends.AFTER_BACK_OFF for problem in found)
        patience = BACK_OFF_SECONDS if in_back_off else LATE_SECONDS if late else None
        return Obstacle("cluster", f"settling: {found[0]}{more}", patience) if found else None

    look_until_clear(context, passing, SETTLE_SECONDS, look=look_at_all, at_most=SETTLE_AT_MOST_SECONDS)
    return status


def judge(context: Context) -> Status:
    """Status of what was last observed."""
    known = roster(context.inventory, context.request.manifest)
    return summarise(
        replace(known, changed=_changed(known, context)),
        context.observation,
        endpoint_answers=context.executor.endpoint_is_ready(context.inventory),
        certificates=summarise_certificates(
            every_certificate(context.inventory, context.observation.reports, context.now())
        ),
        now=context.now(),
        window=context.view.window,
    )


def _changed(known: Roster, context: Context) -> dict[str, tuple[str, ...]]:
    """By host, files that are there and not as they should be, where it was worked out how that is."""
    wants, reports = context.wants, context.observation.reports
    replaced = replaced_copies(known, context.observation)
    return {
        name: (
            *(one.path for one in changed_files(wants[name].files, report) if one.path in report.files),
            *(path for host, path in replaced if host == name),
        )
        for name, report in reports.items()
        if name in wants
    }


def roster(inventory: Inventory, manifest: Manifest | None = None) -> Roster:
    """The inventory's names and addresses, and the programs of a bundle."""
    cluster = inventory.cluster
    return Roster(
        cluster=cluster.name,
        endpoint=str(cluster.endpoint),
        endpoint_is_external=cluster.endpoint_is_external,
        kubernetes_version=cluster.kubernetes_version,
        masters=tuple(host.name for host in inventory.masters),
        etcd=tuple(host.name for host in inventory.etcd),
        balancers=tuple(host.name for host in inventory.balancer_hosts),
        workers=tuple(host.name for host in inventory.workers),
        addresses={host.name: str(host.address) for host in inventory.hosts},
        units={host.name: units(inventory, host) for host in inventory.hosts},
        identity=IDENTITY_PATHS,
        leaving=tuple(host.name for host in inventory.leaving),
        pod_network=str(cluster.pod_network),
        service_network=str(cluster.service_network),
        pod_tunnel=cluster.flannel_backend == "vxlan",
        own_pod_network=cluster.pod_network_manifest is None,
        tables=nftables(inventory),
        apiserver_port=cluster.apiserver_port,
        inventory=inventory.path,
        dns_domain=cluster.dns_domain,
        ssh={host.name: str(host.ssh) for host in inventory.everyone},
        snapshot_interval=cluster.snapshots.interval_seconds if cluster.snapshots else None,
        without_swap=() if cluster.tuning.tolerates_swap else tuple(host.name for host in inventory.nodes),
        api_servers={host.name: api_servers(inventory, host) for host in inventory.nodes},
        etcd_quota_bytes=cluster.etcd.quota_backend_bytes,
        programs={host.name: programs_of(manifest, inventory.roles(host)) for host in inventory.hosts},
        files=needed_paths(inventory),
    )


VERIFY_HEALTH = Look("Verify that the cluster is healthy", verify_health)
