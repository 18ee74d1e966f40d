"""Kubelets that do not start any more because their client certificate has expired get another one.

After etcd's members and the control planes' certificates: systemd tries to start kubelets every second, and with a
valid certificate they start the static pods with whatever there is.
"""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import recipes
from haplane.desired.keys import api_servers
from haplane.domain.plan import Kind
from haplane.observation.identity import identity
from haplane.pki.kubelet_certificates import kubelet_client

TIMESTAMP = "%Y-%m-%d-%H-%M-%S"
"""The kubelet's own, in client-go's certificate_store.go."""


def issue_kubelet_clients(context: Context) -> None:
    """From the CA, whose key is read from a master into memory: no API server is needed."""
    hosts, now, ca = context.hosts(Kind.KUBELET_CLIENT), context.now(), identity(context).kubernetes
    pairs = {host.name: kubelet_client(ca, host.name, now) for host in hosts}
    context.deploy(
        hosts,
        recipes.replace_kubelet_client,
        pair_of={name: pair.certificate + pair.private_key for name, pair in pairs.items()},
        server_of={host.name: api_servers(context.inventory, host)[0] for host in hosts},
        timestamp=now.strftime(TIMESTAMP),
    )


ISSUE_KUBELET_CLIENTS = Phase("Issue kubelets' client certificates", (Kind.KUBELET_CLIENT,), issue_kubelet_clients)
