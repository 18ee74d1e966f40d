from pathlib import Path

import pytest

from haplane.checks.probes import probes_for
from haplane.config.load import load_inventory

INVENTORIES = Path(__file__).parents[2] / "inventories"
LAB = load_inventory(INVENTORIES / "lab.py")
EXTERNAL = load_inventory(INVENTORIES / "lab_external_etcd.py")


def test_a_machine_that_is_only_etcd_has_no_probes_of_kubernetes():
    asked = probes_for(EXTERNAL, EXTERNAL.etcd[0])
    assert asked["units"] == ["etcd"]
    assert set(asked["versions"]) == {"etcd"}
    assert set(asked["documents"]) == {"members"}
    assert set(asked["requests"]) == {
        "etcd health",
        "etcd without a certificate",
        "etcd's peer port without a certificate",
        "TLS 1.1 to etcd",
        "TLS 1.1 to etcd's peer port",
    }


def test_a_master_beside_the_load_balancer_with_etcd_elsewhere():
    asked = probes_for(EXTERNAL, EXTERNAL.masters[0])
    assert set(asked["units"]) == {"containerd", "kubelet", "haproxy", "haplane-vrrp", "keepalived"}
    assert asked["requests"]["etcd of the API server"]["url"] == "https://127.0.0.1:2379/health"


@pytest.mark.parametrize("inventory", [LAB, EXTERNAL])
def test_every_apiserver_is_asked_by_every_master(inventory):
    for host in inventory.masters:
        asked = probes_for(inventory, host)["requests"]
        urls = {asked[f"apiserver {master.name}"]["url"] for master in inventory.masters}
        assert len(urls) == len(inventory.masters)


def test_what_is_hashed_is_also_looked_at():
    asked = probes_for(LAB, LAB.masters[0], ["/usr/local/bin/kubelet"])
    assert asked["hashes"] == {"/usr/local/bin/kubelet": "/usr/local/bin/kubelet"}
    assert "/usr/local/bin/kubelet" in asked["stats"]
