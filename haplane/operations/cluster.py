"""What is applied through the API, by any master."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from haplane.domain import host_paths
from haplane.facts.host_report import recorder
from haplane.operations.run import shell

BOOTSTRAP_TOKEN = "haplan"  # noqa: S105 - the public half
"""The id of the one that kubeadm's phase cannot do without. Always the same, so that there is never a second one."""


@operation()
def apply_cluster(
    *,
    manifest: str,
    patch: str,
    applied: str,
    proxy: str,
    dns: str,
    dns_address: str,
    port: int,
    restart: Sequence[str],
    content_is_ours: bool,
    nodes: Sequence[str],
) -> Generator[StringCommand, None, None]:
    """Upload kubeadm's configuration, the bootstrap rules and the add-ons, and apply the pod network.

    + manifest: the pod network's YAML
    + patch: a strategic merge patch of CoreDNS's Deployment
    + applied: the fingerprint kept of all this in the ConfigMap kube-system/haplane
    + proxy: the fingerprint of kube-proxy's configuration, kept there as well
    + dns: the fingerprint of what CoreDNS is made from, kept there as well
    + dns_address: where pods ask cluster DNS; a service kube-dns at another address is deleted and made anew
    + port: the API servers'
    + restart: of "network", "kube-proxy" and "dns", those that somebody else changed: their pods start anew
    + content_is_ours: nobody but haplane changes the manifest's objects; else only their presence counts
    + nodes: the nodes that must have registered and got their pod network before its pods start
    """
    yield shell(
        "apply_cluster",
        [f"node/{name}" for name in nodes],
        stdin=manifest,
        patch=patch,
        applied=applied,
        proxy=proxy,
        dns=dns,
        dns_address=dns_address,
        port=str(port),
        restart=" ".join(restart),
        watched="content" if content_is_ours else "presence",
        token_id=BOOTSTRAP_TOKEN,
        recorder=recorder(),
    )


@operation()
def bind_kubelet_admin() -> Generator[StringCommand, None, None]:
    """Bind API servers' right to use kubelets to the name in their certificate, whatever groups it has."""
    yield shell("bind_kubelet_admin")


@operation()
def label_masters(
    nodes: Sequence[str], *, run_pods: bool, labels: Mapping[str, Sequence[str]]
) -> Generator[StringCommand, None, None]:
    """Label nodes as masters, and taint them unless pods may run there.

    + nodes: their names
    + run_pods: whether pods that tolerate nothing may run on them
    + labels: the inventory's, by node
    """
    yield shell("label_masters", nodes, taint="no" if run_pods else "yes", labels=lines_of(labels))


@operation()
def label_made(nodes: Sequence[str], labels: Mapping[str, Sequence[str]]) -> Generator[StringCommand, None, None]:
    """Label nodes as made by haplane; what else they carry stays.

    + nodes: their names
    + labels: the inventory's, by node
    """
    yield shell("label_made", nodes, labels=lines_of(labels))


def lines_of(labels: Mapping[str, Sequence[str]]) -> str:
    """A line for each node: its name, and its labels as NAME=VALUE."""
    return "\n".join(" ".join((name, *found)) for name, found in sorted(labels.items()))


@operation()
def delete_node(node: str) -> Generator[StringCommand, None, None]:
    """Delete a Node object and the pods bound to it: what ran there does not run any more.

    + node: its name
    """
    yield shell("delete_node", node=node)


@operation()
def replace_pods(node: str, namespace: str, daemonset: str, selector: str) -> Generator[StringCommand, None, None]:
    """Delete the pods of a DaemonSet on one node, and wait until new ones are ready.

    + node: its name
    + namespace: the DaemonSet's
    + daemonset: its name
    + selector: of its pods, by their labels
    """
    yield shell("replace_pods", node=node, namespace=namespace, daemonset=daemonset, selector=selector)


@operation()
def forget_subnet() -> Generator[StringCommand, None, None]:
    """Have the next flannel write where this node's pods are: until then no pod is given a network."""
    yield StringCommand("rm", "-f", host_paths.FLANNEL_SUBNET)


@operation()
def connect_pods() -> Generator[StringCommand, None, None]:
    """Wait until flannel has written that, and connect pods that are elsewhere, or nowhere."""
    yield shell("connect_pods")


@operation()
def wait_for_nodes(nodes: Sequence[str], *, dns_everywhere: bool) -> Generator[StringCommand, None, None]:
    """Wait until these nodes are Ready and CoreDNS is available.

    + nodes: their names
    + dns_everywhere: every pod of it; one may be on a node that is gone, where it is not replaced for minutes
    """
    yield shell("wait_for_nodes", nodes, dns="everywhere" if dns_everywhere else "anywhere")
