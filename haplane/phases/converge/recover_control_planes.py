"""Control planes that do not start any more because their certificates have expired.

Nothing here takes anything out of service: what is treated has been out of it since its certificates ended. So it is
done on all hosts at once, after etcd's members.
"""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import recipes
from haplane.domain.plan import Kind


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


RECOVER_CONTROL_PLANES = Phase("Renew control planes' expired certificates", (Kind.RECOVER,), recover_control_planes)
AWAIT_RECOVERED = Phase("Wait for recovered API servers", (), await_recovered, also_after=(Kind.RECOVER,))
