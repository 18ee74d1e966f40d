"""The certificates of a node's kubelet: when haplane has to issue them, and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from haplane.config.model import Host, Inventory
from haplane.desired.files import certificate_names
from haplane.domain import host_paths
from haplane.domain.approval import USER, Reserved, why_not
from haplane.domain.observed import UNUSABLE, HostReport, Kubernetes, ServingRequest
from haplane.domain.plan import THE_CLUSTER, Kind, Step
from haplane.domain.steps.nodes import is_registered
from haplane.errors import Refused
from haplane.pki.certificates import CertificateFacts
from haplane.pki.kubelet_certificates import reason_to_replace
from haplane.pki.requests import parse_request


def why_replace_client(
    host: Host, report: HostReport, ca: bytes, now: datetime, servers: Sequence[str]
) -> str | None:
    """Why the host's kubelet needs a client certificate from us; None also where it has not joined a cluster.

    ``servers``: what kubelet.conf may name; with the certificate it gets the first of them.

    ``ca`` is the Kubernetes CA's certificate, PEM, empty while it is not known. Where kubelet.conf embeds a
    certificate, kubeadm's kubelet-finalize has not run: the kubelet would renew another file than the one it reads.
    A kubelet that has just started may still be writing its own; one that runs on without does not start again.
    """
    if host_paths.KUBELET_KUBECONFIG not in report.files or not ca:
        return None
    if (why := _why_write_kubeconfig(report, servers)) is not None:
        return why
    pem = report.certificates.get(host_paths.KUBELET_CLIENT_PEM)
    if pem is None:
        kubelet = report.units.get("kubelet")
        there = host_paths.KUBELET_CLIENT_PEM in report.files or not is_registered(report)
        return None if kubelet and kubelet.active and there else f"{host_paths.KUBELET_CLIENT_PEM} is missing"
    try:
        client = CertificateFacts.from_pem(pem.encode(), f"{host.name}:{host_paths.KUBELET_CLIENT_PEM}")
        return reason_to_replace(client, CertificateFacts.from_pem(ca, "the Kubernetes CA"), host.name, now)
    except Refused:
        return UNUSABLE


def _why_write_kubeconfig(report: HostReport, servers: Sequence[str]) -> str | None:
    path = host_paths.KUBELET_KUBECONFIG
    named = report.servers.get(path)
    if path in report.unusable:
        return f"{path}: {report.unusable[path]}"
    if named is not None and named not in servers:
        return f"{path} names {named or 'no API server'}"
    return f"{path} embeds one, which nobody renews" if report.certificates.get(path) else None


def verifies_kubelets(inventory: Inventory, masters: Sequence[HostReport], kubernetes: Kubernetes | None) -> bool:
    """Whether API servers are to verify what kubelets serve: in a new cluster, and wherever they can or do already.

    In one from before, a worker that joined by hand would lose its logs and shells: not before its certificate can be
    verified, or while nobody knows whether it can.
    """
    made = [report.settings for report in masters if report.settings]
    if not made or any("verifies_kubelets" in settings for settings in made):
        return True
    ours = {host.name for host in inventory.nodes}
    return kubernetes is not None and not any(
        node.unverified for node in kubernetes.nodes if node.ready and node.name not in ours
    )


def approvals(inventory: Inventory, kubernetes: Kubernetes | None) -> tuple[list[Step], dict[str, str]]:
    """The step that approves what may be approved, and why the others, by request and requestor, must not."""
    fine: list[str] = []
    refused: dict[str, str] = {}
    for request in kubernetes.serving_requests if kubernetes is not None else ():
        why = why_not_approve(inventory, request, kubernetes)
        if why is None:
            fine.append(request.name)
        else:
            refused[f"{request.name} of {request.username}"] = why
    step = Step(Kind.APPROVE, THE_CLUSTER, f"{len(fine)} for their own names and addresses", tuple(fine))
    return ([step] if fine else []), refused


def why_not_approve(inventory: Inventory, request: ServingRequest, kubernetes: Kubernetes | None) -> str | None:
    """The rule of :mod:`haplane.domain.approval` for this inventory.

    A node of the inventory serves with what haplane issues. A request of its kubelet is left over from when it had
    joined by hand, or the kubelet is not haplane's any more: approving it would give every run something to do.
    """
    if request.username.removeprefix(USER) in {host.name for host in inventory.nodes + inventory.leaving}:
        return "haplane issues the certificates of nodes in the inventory"
    try:
        asked = parse_request(request.pem.encode(), request.name)
    except Refused as refused:
        return refused.why or refused.what
    addresses = {host.name: str(host.address) for host in inventory.everyone}
    nodes = kubernetes.nodes if kubernetes is not None else ()
    return why_not(request, asked, nodes, addresses, _reserved(inventory))


def _reserved(inventory: Inventory) -> Reserved:
    """What the API servers are called, and what pods and services are."""
    cluster, names = inventory.cluster, certificate_names(inventory)
    wildcards = [name.removeprefix("*.") for name in names if name.startswith("*.")]
    return Reserved(
        names=frozenset(name.lower() for name in names),
        domains=(cluster.dns_domain.lower(), *(name.lower() for name in wildcards)),
        networks=(str(cluster.pod_network), str(cluster.service_network)),
    )
