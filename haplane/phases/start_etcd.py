"""Form the etcd cluster once; later, restart members one at a time and only while quorum stays without them."""

from __future__ import annotations

from haplane.deploys.recipes import form_etcd, restart_etcd
from haplane.domain.plan import Kind
from haplane.phases.phase import Phase, Run
from haplane.remote.session import deploy
from haplane.render import render


def form_the_cluster(run: Run) -> None:
    """All members at the same time."""
    deploy(run.hosts(Kind.FORM_ETCD), form_etcd, run.progress, drop_in=render("etcd-bootstrap.conf.j2"))


def restart_members(run: Run) -> None:
    """One member after the other, each reading through quorum again before the next."""
    for host in run.hosts(Kind.ETCD):
        deploy([host], restart_etcd, run.progress)


FORM_ETCD = Phase("Form the etcd cluster", (Kind.FORM_ETCD,), form_the_cluster)
RESTART_ETCD = Phase("Restart etcd members", (Kind.ETCD,), restart_members)
