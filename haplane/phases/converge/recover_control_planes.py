"""Control planes and kubelets that do not start any more because their certificates have expired.

Nothing here takes anything out of service: what is treated has been out of it since its certificates ended. So it is
done on all hosts at once, after etcd's members. Kubelets come last: systemd tries to start them every second, and
with a valid certificate they start the static pods with whatever there is.
"""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import recipes
from haplane.desired.keys import api_servers
from haplane.domain.plan import Kind
from haplane.phases.converge.prepare_hosts import identity
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


def recover_control_planes(context: Context) -> None:
    """Kubeadm makes certificates and kubeconfigs from the CA on each master; the kubelet then finds them."""
    hosts = context.hosts(Kind.RECOVER)
    names_of = {host.name: context.plan.items(host.name, Kind.RECOVER) for host in hosts}
    context.deploy(hosts, recipes.recover_control_plane, names_of=names_of)


def await_recovered(context: Context) -> None:
    """What comes next asks them. Their new certificates may lack the group by which they used kubelets before."""
    hosts, port = context.hosts(Kind.RECOVER), context.inventory.cluster.apiserver_port
    context.deploy(hosts, recipes.wait_for_apiserver, port=port)
    context.deploy(hosts[:1], recipes.bind_kubelet_admin)


ISSUE_KUBELET_CLIENTS = Phase("Issue kubelets' client certificates", (Kind.KUBELET_CLIENT,), issue_kubelet_clients)
RECOVER_CONTROL_PLANES = Phase("Renew control planes' expired certificates", (Kind.RECOVER,), recover_control_planes)
AWAIT_RECOVERED = Phase("Wait for recovered API servers", (), await_recovered, also_after=(Kind.RECOVER,))
