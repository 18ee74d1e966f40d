"""Serving certificates of kubelets that haplane does not manage: approved by a rule, never blindly."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Look, Phase
from haplane.desired.kubelets import approvals
from haplane.domain import host_paths
from haplane.domain.plan import THE_CLUSTER, Kind


def approve_serving_certificates(context: Context) -> None:
    """Those that the plan names."""
    names = context.plan.items(THE_CLUSTER, Kind.APPROVE)
    config = f"--kubeconfig={host_paths.ADMIN_KUBECONFIG}"
    context.executor.run(
        context.some_master(), "kubectl", config, "--request-timeout=20s", "certificate", "approve", "--", *names
    )


def list_refused_requests(context: Context) -> None:
    """Requests that are left alone, with the reason."""
    _, refused = approvals(context.inventory, context.observation.kubernetes())
    for request, why in refused.items():
        context.progress("serving certificates", f"{request} is not approved: {why}")


APPROVE_SERVING = Phase("Approve kubelets' serving certificates", (Kind.APPROVE,), approve_serving_certificates)
LIST_REFUSED_REQUESTS = Look("List certificate requests that are left alone", list_refused_requests)
