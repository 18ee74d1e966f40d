"""Kubelets' certificates, issued from the cluster's CA.

The client certificate is the kubelet's own business while it runs: it renews it through the API long before it ends.
One that was off until it had expired cannot start any more, and only the holder of the CA can help it.
"""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Address

from haplane.domain import host_paths
from haplane.pki.ca import KeyPair
from haplane.pki.certificates import CertificateFacts
from haplane.pki.cluster_identity import key_pair_files
from haplane.pki.issue import Usage, issue

NODES = "system:nodes"
"""The group by which the API server's Node authorizer knows kubelets."""


def user_of(node: str) -> str:
    """The user that a node's kubelet is to the API server."""
    return f"system:node:{node}"


def kubelet_client(ca: KeyPair, node: str, now: datetime) -> KeyPair:
    """What the node's kubelet shows the API server. Raises Refused when the CA cannot issue."""
    return issue(ca, user_of(node), organizations=(NODES,), usages=(Usage.CLIENT,), now=now)


def kubelet_serving_files(ca: KeyPair, node: str, address: IPv4Address, now: datetime) -> dict[str, bytes]:
    """What the node's kubelet shows API servers that ask it for logs and shells, by path."""
    certificate = issue(
        ca,
        user_of(node),
        organizations=(NODES,),
        dns_names=(node,),
        addresses=(address,),
        usages=(Usage.SERVER,),
        now=now,
    )
    return key_pair_files(host_paths.KUBELET_SERVING_STEM, certificate)


def reason_to_replace(client: CertificateFacts, ca: CertificateFacts, node: str, now: datetime) -> str | None:
    """Why the node's kubelet cannot go on with this certificate, or None: one that has not expired it renews."""
    return client_flaw(client, ca, node, now) or ("it has expired" if client.not_after <= now else None)


def client_flaw(client: CertificateFacts, ca: CertificateFacts, node: str, now: datetime) -> str | None:
    """The same, however long it holds: API servers let no kubelet write another node's Node."""
    another = f"it is {client.common_name}'s" if client.common_name != user_of(node) else None
    return client.flaw(ca, now) or another
