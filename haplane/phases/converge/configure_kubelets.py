"""Kubelets take up changed settings."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import recipes
from haplane.domain.plan import Kind


def configure_kubelets(context: Context) -> None:
    """One after the other: a setting that a kubelet does not take stops here, with the others as they were."""
    for host in context.hosts(Kind.KUBELET_CONFIG):
        context.deploy([host], recipes.configure_kubelet)


CONFIGURE_KUBELETS = Phase("Configure kubelets, one at a time", (Kind.KUBELET_CONFIG,), configure_kubelets)
