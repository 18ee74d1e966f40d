"""pyinfra deploys: each the same steps on every host it is given; what differs is looked up by the host's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from haplane.deploys.single import single
from haplane.domain import host_paths
from haplane.domain.files import WantedFile
from haplane.operations import (
    cluster,
    control_plane,
    files,
    haproxy,
    kubeadm,
    packages,
    reset,
    snapshots,
    timeouts,
    units,
)

HEALTHY = "Wait until scheduler and controller manager are healthy"
APISERVER_SECONDS = 110
"""For an API server to become ready: it has etcd, and fills its caches from it."""

CONTROLLER_SECONDS = 90
"""For a scheduler and a controller manager to become healthy: their manifests are new to the kubelet."""

CHECKS = {"haproxy": f"haproxy -c -q -f {host_paths.HAPROXY_CFG}"}

take_out_control_plane = single(
    control_plane.take_out, "Stop the control plane", timeouts.PROCESS_END, name="take_out_control_plane"
)
stop_control_plane = single(
    control_plane.stop, "Stop the control plane", timeouts.PROCESS_END, name="stop_control_plane"
)
take_part = single(units.up, "Start {unit}", timeouts.LOCAL, name="take_part", unit="keepalived", wait=True)
release_address = single(units.down, "Stop {unit}", timeouts.LOCAL, name="release_address", unit="keepalived")
delete_node = single(cluster.delete_node, "Delete the node {node}", timeouts.REQUEST)
let_boot_start = single(
    control_plane.let_boot_start, "Stop the kubelet until the next boot", timeouts.LOCAL, name="let_boot_start"
)
hand_over_address = single(haproxy.hand_over_address, "Hand over {address}", timeouts.ADDRESS)
drain_server = single(haproxy.drain, "Take {server} out of service", timeouts.SERVER_ANSWER, name="drain_server")
undrain_server = single(haproxy.undrain, "Undrain the server {server}", timeouts.SERVER_ANSWER, name="undrain_server")
replace_pods = single(cluster.replace_pods, "Replace {daemonset} on {node}", timeouts.REPLACED_PODS)
forget_subnet = single(cluster.forget_subnet, "Have flannel write its subnet anew", timeouts.LOCAL)
connect_pods = single(cluster.connect_pods, "Connect pods to their network", timeouts.NODES)
bind_kubelet_admin = single(cluster.bind_kubelet_admin, "Bind API servers' role for kubelets", timeouts.BINDING)
serve_kubelet = single(
    kubeadm.serve_with_new_certificate,
    "Wait until the kubelet serves its new certificate",
    timeouts.REQUEST,
    name="serve_kubelet",
)
initialise_master = single(
    kubeadm.run_phases, "Run kubeadm's phases", timeouts.KUBEADM_INIT, name="initialise_master"
)
apply_cluster = single(cluster.apply_cluster, "Apply cluster-wide objects", timeouts.APPLY)
remove_super_admin = single(kubeadm.absent, "Remove {path}", timeouts.LOCAL, name="remove_super_admin")
reset_host = single(reset.reset, "Remove the cluster from the host", timeouts.MANY_FILES, name="reset_host")


@deploy("Prepare the host")
def prepare_host(
    packages_of: Mapping[str, Mapping[str, str]],
    installer_of: Mapping[str, str],
    files_of: Mapping[str, Sequence[WantedFile]],
    package_directory: str | None,
) -> None:
    """Packages, then configuration, keys and certificates, with the kernel's settings.

    ``packages_of`` maps hosts to packages by their services, ``installer_of`` to the script that installs them.
    """
    packages.installed(
        packages=packages_of.get(host.name, {}),
        script=installer_of.get(host.name, ""),
        directory=package_directory,
        name="Install packages",
        _timeout=timeouts.PACKAGES,
    )
    files.place(
        files=files_of.get(host.name, ()),
        name="Write configuration, keys and certificates",
        _timeout=timeouts.MANY_FILES,
    )


@deploy("Start the container runtime")
def start_runtime(paths_of: Mapping[str, Sequence[str]]) -> None:
    """containerd, serving and enabled."""
    mine = paths_of.get(host.name, ())
    units.up(unit="containerd", files=mine, wait=True, name="Start containerd", _timeout=timeouts.LOCAL)


@deploy("Start the control plane again")
def put_back_control_plane(port: int) -> None:
    """After :func:`take_out_control_plane`."""
    control_plane.start_apiserver(name="Start the API server", _timeout=timeouts.LOCAL)
    _wait_for_apiserver(port)
    control_plane.wait_for_controllers(seconds=CONTROLLER_SECONDS, name=HEALTHY, _timeout=timeouts.CONTROLLERS)


@deploy("Wait for the scheduler and the controller manager")
def wait_for_controllers() -> None:
    """Both on this host; their manifests are moved back if they were moved."""
    control_plane.wait_for_controllers(seconds=CONTROLLER_SECONDS, name=HEALTHY, _timeout=timeouts.CONTROLLERS)


@deploy("Restart the scheduler or controller manager")
def restart_controller(component: str) -> None:
    """The one on this host, where nobody leads."""
    control_plane.restart_controller(
        component=component, name=f"Restart {component}", _timeout=timeouts.CONTROLLER_RESTART
    )


@deploy("Wait until connections are drained")
def wait_for_connection_drain(address: str, port: int, seconds: int) -> None:
    """On every load balancer, between the drain and the end of the server."""
    haproxy.wait_for_connection_drain(
        address=address,
        port=port,
        seconds=seconds,
        name="Wait until connections are drained",
        _timeout=seconds + timeouts.SERVER_ANSWER,
    )


@deploy("Restart the control plane")
def restart_control_plane(port: int, renew: Sequence[str]) -> None:
    """Due certificates, then all that reads them and the manifests at its start only, each once."""
    if renew:
        kubeadm.renew_certificates(names=renew, name="Renew kubeadm's certificates", _timeout=timeouts.LOCAL)
    control_plane.restart(port=port, name="Restart the control plane", _timeout=timeouts.CONTROL_PLANE_RESTART)
    _wait_for_apiserver(port)
    control_plane.start_controllers(name=HEALTHY, _timeout=timeouts.CONTROLLERS)


@deploy("Recover the control plane")
def recover_control_plane(names_of: Mapping[str, Sequence[str]]) -> None:
    """What a control plane of which nothing runs starts with: its certificates (by host), then its manifests."""
    kubeadm.renew_certificates(
        names=names_of[host.name], name="Renew kubeadm's certificates", _timeout=timeouts.LOCAL
    )
    kubeadm.write_manifests(name="Write static pods' manifests", _timeout=timeouts.LOCAL)


@deploy("Replace the kubelet's client certificate")
def replace_kubelet_client(pair_of: Mapping[str, bytes], server_of: Mapping[str, str], timestamp: str) -> None:
    """``pair_of`` maps hosts to a certificate and its key, ``server_of`` to an API server. Read when it starts."""
    kubeadm.replace_kubelet_client(
        pair=pair_of[host.name],
        server=server_of[host.name],
        timestamp=timestamp,
        name="Replace the kubelet's client certificate",
        _timeout=timeouts.LOCAL,
    )


@deploy("Wait for the API server")
def wait_for_apiserver(port: int) -> None:
    """The one on this host."""
    _wait_for_apiserver(port)


def _wait_for_apiserver(port: int) -> None:
    control_plane.wait_for_apiserver(
        port=port, seconds=APISERVER_SECONDS, name="Wait until the API server is ready", _timeout=timeouts.APISERVER
    )


@deploy("Start the load balancer")
def start_balancer(
    paths_of: Mapping[str, Mapping[str, Sequence[str]]], changed_of: Mapping[str, Sequence[str]]
) -> None:
    """``paths_of`` maps a unit to its files by host; a host without any of them does not run it.

    All read a changed configuration by a reload, which keeps connections. ``changed_of`` maps a unit to the hosts
    on which something else that it made is gone.
    """
    for unit, by_host in paths_of.items():
        mine = by_host.get(host.name, ())
        units.up(
            unit=unit,
            files=mine,
            changed=host.name in changed_of.get(unit, ()),
            reloads=True,
            check=CHECKS.get(unit),
            name=f"Start {unit}",
            _timeout=timeouts.LOCAL,
            _if=partial(bool, mine),
        )


@deploy("Join the worker")
def join_worker(config_of: Mapping[str, WantedFile]) -> None:
    """Stock kubeadm join from a file that does not outlive it, by host."""
    kubeadm.join(config=config_of[host.name], name="Run kubeadm join", _timeout=timeouts.KUBEADM_JOIN)


@deploy("Start the kubelet")
def start_kubelet(paths_of: Mapping[str, Sequence[str]], again: Sequence[str] = ()) -> None:
    """The kubelet of a node that has been through kubeadm; of the hosts ``again`` also one that runs."""
    mine = paths_of.get(host.name, ())
    units.up(
        unit="kubelet", files=mine, changed=host.name in again, name="Start the kubelet", _timeout=timeouts.LOCAL
    )


@deploy("Reconfigure the kubelet")
def configure_kubelet() -> None:
    """From the configuration that the cluster keeps."""
    kubeadm.write_kubelet_config(name="Write the kubelet's configuration", _timeout=timeouts.KUBELET)
    kubeadm.restart_kubelet(name="Restart the kubelet", _timeout=timeouts.KUBELET)


@deploy("Label and taint masters")
def label_masters(nodes: Sequence[str], *, run_pods: bool, labels: Mapping[str, Sequence[str]]) -> None:
    """All through one master; ``labels`` are the inventory's, by node."""
    cluster.label_masters(
        nodes=nodes,
        run_pods=run_pods,
        labels=labels,
        name="Label and taint masters",
        _timeout=timeouts.LABELS + timeouts.LABELS_OF_A_NODE * len(nodes),
    )


@deploy("Label nodes as made by haplane")
def label_made(nodes: Sequence[str], labels: Mapping[str, Sequence[str]]) -> None:
    """All through one master; ``labels`` are the inventory's, by node."""
    cluster.label_made(
        nodes=nodes,
        labels=labels,
        name="Label nodes as made by haplane",
        _timeout=timeouts.LABELS + timeouts.LABELS_OF_A_NODE * len(nodes),
    )


@deploy("Wait for nodes")
def wait_for_nodes(nodes: Sequence[str], *, dns_everywhere: bool) -> None:
    """Every node Ready and CoreDNS available, as the API server reports; the caller looks at what did not come."""
    cluster.wait_for_nodes(
        nodes=nodes,
        dns_everywhere=dns_everywhere,
        name="Wait until nodes are Ready and DNS is available",
        _timeout=timeouts.NODES,
        _ignore_errors=True,
    )


@deploy("Place sealed keys")
def place_sealed_keys(sealed: Sequence[WantedFile]) -> None:
    """The same bytes on every member; they are ciphertext."""
    files.place(files=sealed, name="Write the sealed keys", _timeout=timeouts.LOCAL)


@deploy("Schedule snapshots")
def schedule_snapshots(timer: str, paths_of: Mapping[str, Sequence[str]]) -> None:
    """The timer, running and enabled; the service that it starts is never started by hand."""
    mine = paths_of.get(host.name, ())
    units.up(unit=timer, files=mine, wait=True, name="Start the snapshot timer", _timeout=timeouts.LOCAL)


@deploy("Disable snapshots")
def unschedule_snapshots(timer: str, service: str, root: str, own_files: Sequence[str]) -> None:
    """Everything of theirs but the snapshots goes."""
    snapshots.remove(
        timer=timer,
        service=service,
        root=root,
        files=own_files,
        name="Remove the snapshot timer and the agent",
        _timeout=timeouts.LOCAL,
    )
