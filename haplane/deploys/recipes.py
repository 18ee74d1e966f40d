"""pyinfra deploys: each the same steps on every host it is given; what differs is looked up by the host's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from haplane.domain.files import WantedFile
from haplane.operations import cluster, etcd, files, haproxy, kubeadm, packages, reset, snapshots, units

CHECKS = {"haproxy": "haproxy -c -q -f /etc/haproxy/haproxy.cfg"}


@deploy("Prepare the host")
def prepare_host(
    packages_of: Mapping[str, Sequence[str]],
    files_of: Mapping[str, Sequence[WantedFile]],
    package_directory: str | None,
) -> None:
    """Packages, then configuration, keys and certificates, with the kernel's settings."""
    packages.installed(
        packages=packages_of.get(host.name, ()), directory=package_directory, name="Install packages", _timeout=600
    )
    files.place(files=files_of.get(host.name, ()), name="Write configuration, keys and certificates", _timeout=180)


@deploy("Start the container runtime")
def start_runtime(paths_of: Mapping[str, Sequence[str]]) -> None:
    """containerd, serving and enabled."""
    mine = paths_of.get(host.name, ())
    units.up(unit="containerd", files=mine, wait=True, name="Start containerd", _timeout=60)


@deploy("Form the etcd cluster")
def form_etcd(drop_in: str) -> None:
    """All members start together; none is ever allowed to do so again once they are healthy."""
    etcd.start_new_cluster(drop_in=drop_in, name="Start etcd members together", _timeout=30)
    etcd.settle_new_cluster(name="Wait for quorum", _timeout=90)


@deploy("Start etcd members")
def start_etcd() -> None:
    """Those that are down, all together: they may need each other for a majority. Nothing that runs is touched."""
    units.up(unit="etcd", name="Start etcd", _timeout=60)
    etcd.wait_for_member(name="Wait until it reads through quorum", _timeout=90)


@deploy("Restart the etcd member")
def restart_etcd() -> None:
    """One member, after it has handed leadership over; the caller sees to it that quorum stays without it."""
    etcd.hand_over_leadership(name="Hand over leadership", _timeout=30)
    units.up(unit="etcd", changed=True, name="Restart etcd", _timeout=90)
    etcd.wait_for_member(name="Wait until it reads through quorum", _timeout=90)


@deploy("Hand over leadership")
def hand_over() -> None:
    """Before a member goes for good."""
    etcd.hand_over_leadership(name="Hand over leadership", _timeout=30)


@deploy("Remove the etcd member")
def remove_member(member: str) -> None:
    """Told to another member; the caller sees to it that the others are a majority."""
    etcd.remove_member(member=member, name=f"Remove the etcd member {member}", _timeout=150)


@deploy("Set etcd's data aside")
def set_etcd_data_aside(stamp: str) -> None:
    """On a machine whose member is off the list."""
    etcd.set_data_aside(stamp=stamp, name="Set etcd's data aside", _timeout=60)


@deploy("Add the learner")
def add_learner(member: str, peer_url: str) -> None:
    """Told to a member that serves."""
    etcd.add_learner(member=member, peer_url=peer_url, name=f"Add {member} as a learner", _timeout=150)


@deploy("Start the learner")
def start_learner(drop_in: str) -> None:
    """On the machine that was added."""
    etcd.start_learner(drop_in=drop_in, name="Start etcd as a learner", _timeout=150)


@deploy("Promote the learner")
def promote_learner(member: str) -> None:
    """Told to a member that serves; it waits until the learner has caught up."""
    etcd.promote(member=member, name=f"Promote {member} once it has caught up", _timeout=1800)


@deploy("Settle the member")
def settle_member() -> None:
    """It votes: from now on it never starts with an empty disk."""
    etcd.settle_new_cluster(name="Wait until it reads through quorum", _timeout=90)


@deploy("Take the alarm back")
def disarm() -> None:
    """The corrupt member is gone."""
    etcd.disarm(name="Take etcd's alarm back", _timeout=30)


@deploy("Put the API server aside")
def put_apiserver_aside() -> None:
    """It ends by itself, as in a restart, and stays away."""
    kubeadm.put_apiserver_aside(name="Stop the API server", _timeout=120)


@deploy("Bring the API server back")
def bring_apiserver_back(port: int) -> None:
    """After :func:`put_apiserver_aside`."""
    kubeadm.bring_apiserver_back(name="Start the API server", _timeout=60)
    kubeadm.wait_for_apiserver(port=port, name="Wait until the API server is ready", _timeout=180)


@deploy("Stop the control plane")
def stop_control_plane() -> None:
    """For good: its clients are told to go elsewhere, as in a restart."""
    kubeadm.stop_control_plane(name="Stop the control plane", _timeout=120)


@deploy("Give the endpoint's address up")
def give_address_up() -> None:
    """Another load balancer has it at once."""
    units.down(unit="keepalived", name="Stop keepalived", _timeout=30)


@deploy("Drain the node")
def drain_node(node: str) -> None:
    """Its pods go elsewhere, as far as their budgets allow."""
    cluster.drain_node(node=node, name=f"Evict pods from {node}", _timeout=330)


@deploy("Forget the node")
def forget_node(node: str) -> None:
    """Its Node object and its pods."""
    cluster.forget_node(node=node, name=f"Delete the node {node}", _timeout=90)


@deploy("Drain the server")
def drain_server(server: str) -> None:
    """On every load balancer, before planned work."""
    haproxy.drain(server=server, name=f"Drain {server}", _timeout=15)


@deploy("Let clients part")
def let_clients_part(address: str, port: int, seconds: int) -> None:
    """On every load balancer, between the drain and the end of the server."""
    haproxy.await_parting(
        address=address, port=port, seconds=seconds, name="Wait until clients have left", _timeout=seconds + 20
    )


@deploy("Put the server back")
def restore_server(server: str) -> None:
    """On every load balancer, after planned work."""
    haproxy.restore(server=server, name=f"Put {server} back", _timeout=15)


@deploy("Restart the control plane")
def restart_control_plane(config: str, port: int, renew: Sequence[str], components: Sequence[str]) -> None:
    """Due certificates, manifests from the changed configuration, then what reads both at its start only."""
    if renew:
        kubeadm.renew_certificates(config=config, names=renew, name="Renew kubeadm's certificates", _timeout=60)
    kubeadm.restart_control_plane(
        config=config, components=components, name="Restart the control plane", _timeout=180
    )
    kubeadm.wait_for_apiserver(port=port, name="Wait until the API server is ready", _timeout=120)
    kubeadm.restart_leaders(name="Restart the controllers that lead here", _timeout=60)


@deploy("Configure the kubelet")
def configure_kubelet() -> None:
    """From the configuration that the cluster keeps."""
    kubeadm.configure_kubelet(name="Configure the kubelet anew", _timeout=120)


@deploy("Wait for the API server")
def wait_for_apiserver(port: int) -> None:
    """The one on this host."""
    kubeadm.wait_for_apiserver(port=port, name="Wait until the API server is ready", _timeout=120)


@deploy("Start the load balancer")
def start_balancer(paths_of: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    """``paths_of`` maps a unit to its files by host; a host without any of them does not run it.

    Both take a changed configuration up by a reload, which keeps connections.
    """
    for unit, by_host in paths_of.items():
        mine = by_host.get(host.name, ())
        units.up(
            unit=unit,
            files=mine,
            reloads=True,
            check=CHECKS.get(unit),
            name=f"Start {unit}",
            _timeout=60,
            _if=partial(bool, mine),
        )


@deploy("Run kubeadm's phases")
def initialise_master(config: str, evidence: Sequence[str]) -> None:
    """The same phases on every master, at the same time."""
    kubeadm.run_phases(config=config, evidence=evidence, name="Run kubeadm's phases", _timeout=360)


@deploy("Join the worker")
def join_worker(config_of: Mapping[str, WantedFile]) -> None:
    """Stock kubeadm join from a file that does not outlive it, by host."""
    kubeadm.join(config=config_of[host.name], name="Run kubeadm join", _timeout=240)


@deploy("Start the kubelet")
def start_kubelet(paths_of: Mapping[str, Sequence[str]]) -> None:
    """The kubelet of a node that has been through kubeadm."""
    units.up(unit="kubelet", files=paths_of.get(host.name, ()), name="Start the kubelet", _timeout=60)


@deploy("Apply what exists once")
def apply_cluster(
    *, config: str, manifest: str, patch: str, applied: str, proxy: str, dns: str, nodes: Sequence[str]
) -> None:
    """Through the API, from one master, whichever."""
    cluster.apply_once(
        config=config,
        manifest=manifest,
        patch=patch,
        applied=applied,
        proxy=proxy,
        dns=dns,
        nodes=nodes,
        name="Apply add-ons and the pod network",
        _timeout=180,
    )


@deploy("Mark masters")
def mark_masters(nodes: Sequence[str], *, run_pods: bool) -> None:
    """Labels and taints, for all masters at once."""
    cluster.mark_masters(nodes=nodes, run_pods=run_pods, name="Label and taint masters", _timeout=120)


@deploy("Remove super-admin.conf")
def remove_super_admin(path: str) -> None:
    """It bypasses authorization; once the cluster-admins binding exists nobody needs it."""
    kubeadm.absent(path=path, name="Remove super-admin.conf", _timeout=30)


@deploy("Wait for nodes")
def wait_for_nodes(nodes: Sequence[str], *, dns_everywhere: bool) -> None:
    """Every node Ready and CoreDNS available, as the API server tells it; the caller judges what did not come."""
    cluster.wait_until_ready(
        nodes=nodes,
        dns_everywhere=dns_everywhere,
        name="Wait until nodes are Ready and DNS is available",
        _timeout=200,
        _ignore_errors=True,
    )


@deploy("Place sealed keys")
def place_sealed_keys(sealed: Sequence[WantedFile]) -> None:
    """The same bytes on every member; they are ciphertext."""
    files.place(files=sealed, name="Write the sealed keys", _timeout=60)


@deploy("Schedule snapshots")
def schedule_snapshots(timer: str, paths_of: Mapping[str, Sequence[str]]) -> None:
    """The timer, running and enabled; the service that it starts is never started by hand."""
    mine = paths_of.get(host.name, ())
    units.up(unit=timer, files=mine, wait=True, name="Start the snapshot timer", _timeout=60)


@deploy("Take no more snapshots")
def unschedule_snapshots(timer: str, service: str, root: str, own_files: Sequence[str]) -> None:
    """Everything of theirs but the snapshots goes."""
    snapshots.remove(
        timer=timer, service=service, root=root, files=own_files, name="Remove the snapshot timer", _timeout=60
    )


@deploy("Take haplane off")
def reset_host(stamp: str, pod_network: str, snapshot_directory: str, pushed: Sequence[str]) -> None:
    """Everything of the cluster off the machine, its data and its snapshots aside."""
    reset.take_off(
        stamp=stamp,
        pod_network=pod_network,
        snapshot_directory=snapshot_directory,
        pushed=pushed,
        name="Take the cluster off",
        _timeout=180,
    )


@deploy("Discard what was kept")
def discard_kept(paths: Sequence[str]) -> None:
    """Old etcd data that nobody needs any more."""
    etcd.discard(paths=paths, name="Remove old etcd data", _timeout=180)
