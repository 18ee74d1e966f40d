"""Kubelets take up new serving certificates."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import recipes
from haplane.domain.plan import Kind


def serve_kubelets(context: Context) -> None:
    """All at once: nothing is out of service meanwhile. Before API servers verify what kubelets show."""
    context.deploy(context.hosts(Kind.SERVING), recipes.serve_kubelet)


SERVE_KUBELETS = Phase("Load serving certificates of kubelets", (Kind.SERVING,), serve_kubelets)
