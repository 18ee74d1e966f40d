"""Machines whose first interface is a NAT with the default route and the same address on all, as Vagrant's."""

import re

import pytest
import samples

from haplane.config.load import load_inventory
from haplane.config.model import Inventory
from haplane.desired.manifests import cluster_manifest
from haplane.domain import host_paths

NAT = "10.0.2.15"
NAT_LINK, CLUSTER_LINK = "enp0s3", "enp0s8"


@pytest.fixture
def vagrant() -> Inventory:
    return load_inventory("inventories/vagrant.py")


def files_of(inventory: Inventory, name: str) -> dict[str, str]:
    host = inventory.host(name)
    report = samples.report(
        name,
        str(host.address),
        addresses={"lo": ("127.0.0.1",), NAT_LINK: (NAT,), CLUSTER_LINK: (str(host.address),)},
    )
    wants = samples.wants(inventory, {name: report})[name]
    return {file.path: file.content.decode() for file in wants.files}


def test_no_file_of_any_host_names_the_nat(vagrant: Inventory) -> None:
    for host in vagrant.hosts:
        for path, content in files_of(vagrant, host.name).items():
            assert NAT not in content, f"{host.name}: {path}"
            assert not re.search(rf"\b({NAT_LINK}|eth0)\b", content), f"{host.name}: {path}"


def test_what_announces_a_host_is_bound_to_its_address_in_the_inventory(vagrant: Inventory) -> None:
    """The kubelet's, the API server's and etcd's addresses, and the interface of VRRP and its filter."""
    master, balancer = files_of(vagrant, "m1"), files_of(vagrant, "lb1")
    kubeadm = master[host_paths.KUBEADM_CONFIG_YAML]
    assert '- {name: node-ip, value: "192.168.56.21"}' in kubeadm
    assert "advertiseAddress: 192.168.56.21" in kubeadm
    etcd = "\n".join(content for path, content in master.items() if "etcd" in path)
    assert "https://192.168.56.21:2380" in etcd
    assert f"interface {CLUSTER_LINK}" in balancer[host_paths.KEEPALIVED_CONF]
    assert f"192.168.56.10/32 dev {CLUSTER_LINK}" in balancer[host_paths.KEEPALIVED_CONF]
    assert f'iifname "{CLUSTER_LINK}" ip protocol 112' in balancer[host_paths.VRRP_FILTER_NFT]


def test_flannel_takes_the_interface_of_the_nodes_address(vagrant: Inventory) -> None:
    """And that is the kubelet's --node-ip, which is its Node's hostIP."""
    manifest = cluster_manifest(vagrant, samples.manifest())
    assert "--iface=$(HOST_ADDRESS)" in manifest
    assert "{name: HOST_ADDRESS, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}" in manifest
