"""Wait until the cluster serves, then look at all of it once more and judge."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.request
from datetime import datetime

from haplane.config.model import Inventory
from haplane.deploys.recipes import wait_for_nodes
from haplane.desired.hosts import units
from haplane.domain.observed import Observation
from haplane.domain.status import Certificates, Roster, Status, passing_problems, summarise
from haplane.errors import Refused
from haplane.phases.observe import observe
from haplane.phases.phase import Run, pause
from haplane.pki.certificates import CertificateFacts
from haplane.pki.cluster_identity import IDENTITY_PATHS
from haplane.remote.session import deploy

ENDPOINT_SECONDS = 3
SETTLE_SECONDS = 20.0
KUBELETS_OWN = "/var/lib/kubelet/pki/kubelet.crt"
"""Self-signed for serving: nobody verifies it, and the kubelet makes a new one when it starts without."""


def await_nodes(run: Run) -> None:
    """Wait until nodes are Ready and DNS is available; what does not come in time is no error."""
    nodes = [host.name for host in run.reachable(run.inventory.nodes)]
    everywhere = not run.observation.unreachable
    deploy([run.some_master()], wait_for_nodes, run.progress, nodes=nodes, dns_everywhere=everywhere)


def confirm_health(run: Run) -> Status:
    """Status once what lags behind the nodes has settled, at once when a host was lost meanwhile."""
    known = set(run.observation.unreachable)
    observe(run)
    return settled(run) if set(run.observation.unreachable) <= known else judge(run)


def settled(run: Run) -> Status:
    """Status of what was last observed once nothing is wrong that may pass, or still is after SETTLE_SECONDS."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        status = judge(run)
        passing = passing_problems(status, run.observation.unreachable)
        if not passing or time.monotonic() >= deadline:
            return status
        pause(run, "cluster", f"settling: {passing[0]}")
        observe(run)


def judge(run: Run) -> Status:
    """Status of what was last observed."""
    return summarise(
        roster(run.inventory),
        run.observation,
        endpoint_answers=endpoint_answers(run.inventory),
        certificates=first_to_expire(run.observation, run.now()),
        now=run.now(),
    )


def roster(inventory: Inventory) -> Roster:
    """The inventory's names and addresses."""
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
        snapshot_interval=cluster.snapshots.interval_seconds if cluster.snapshots else None,
    )


def endpoint_answers(inventory: Inventory) -> bool:
    """Whether /readyz through the endpoint says so, asked from here without credentials."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only "is it ready" is asked; nothing that is answered is trusted
    url = f"https://{inventory.cluster.endpoint}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=ENDPOINT_SECONDS, context=context) as answer:  # noqa: S310 - https
            return int(answer.status) == 200
    except (OSError, ValueError, http.client.HTTPException):
        return False


def first_to_expire(observation: Observation, now: datetime) -> Certificates:
    """Over the certificates that any host showed; one that cannot be read is the plan's business."""
    found = []
    for name, report in observation.reports.items():
        for path, pem in report.certificates.items():
            if path == KUBELETS_OWN:
                continue
            file = f"{name}:{path}"
            try:
                found.append((CertificateFacts.from_pem(pem.encode(), file).not_after, file))
            except Refused:
                continue
    if not found:
        return Certificates(None, None)
    first, file = min(found)
    return Certificates(first.isoformat(), round((first - now).total_seconds() / 86400, 1), file)
