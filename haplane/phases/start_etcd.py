"""Form the etcd cluster, once."""

from __future__ import annotations

from haplane.deploys.recipes import form_etcd
from haplane.domain.plan import Kind
from haplane.phases.phase import Phase, Run
from haplane.remote.session import deploy
from haplane.render import render


def form_the_cluster(run: Run) -> None:
    """All members at the same time."""
    deploy(run.hosts(Kind.FORM_ETCD), form_etcd, run.progress, drop_in=render("etcd-bootstrap.conf.j2"))


FORM_ETCD = Phase("Form the etcd cluster", (Kind.FORM_ETCD,), form_the_cluster)
