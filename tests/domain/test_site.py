"""What sites have done with their hosts: each is named before anything is changed, with a way out."""

import pytest
import samples

from haplane.domain.site import site_problems
from haplane.observation.requirements import _site

INVENTORY = samples.inventory(workers=1)
FRESH = samples.fresh(INVENTORY)
BALANCER = {"holds_endpoint": False, "endpoint_answers": False, "servers": None}
OTHERS = {"balanced": ["10.9.9.1", "10.9.9.2"], "addresses": ["10.9.9.9"]}
CONVERGED = samples.converged(INVENTORY)


M1 = str(INVENTORY.masters[0].address)


def route(network, gateway):
    return {"network": network, "device": "eth0", "gateway": gateway}


def found(observation=FRESH, host="m2", inventory=INVENTORY, **changes):
    reports = samples.altered(observation, host, **changes).reports if changes else observation.reports
    return [str(error) for error in site_problems(_site(inventory), reports)]


def around(**surroundings):
    return {"surroundings": surroundings}


def test_hosts_as_they_should_be():
    assert found() == []
    assert found(CONVERGED) == []


@pytest.mark.parametrize(
    ("surroundings", "words"),
    [
        ({"networks": [{"network": "10.244.3.1/24", "device": "docker0"}]}, "pod_network 10.244.0.0/16 overlaps"),
        ({"networks": [{"network": "10.96.5.0/24", "device": "tun0"}]}, "service_network 10.96.0.0/16 overlaps"),
        ({"networks": [{"network": "10.0.0.0/8", "device": ""}]}, "it has 10.0.0.0/8"),
        ({"networks": [route("10.244.1.0/24", "10.1.0.99")]}, "it has 10.244.1.0/24 (eth0)"),
        ({"networks": [route("10.244.0.0/15", M1)]}, "it has 10.244.0.0/15 (eth0)"),
        ({"networks": [route("10.96.1.0/24", M1)]}, "service_network 10.96.0.0/16 overlaps"),
        ({"kernel": "5.10.0-30-amd64"}, "too old for kube-proxy's nftables mode"),
        ({"name_servers": ["127.0.0.53"]}, "names only this host as name server"),
        ({"name_servers": ["::1", "127.0.0.1"]}, "CoreDNS would query itself"),
        ({"manifests": ["backup.yaml"]}, "/etc/kubernetes/manifests/backup.yaml is not haplane's"),
        ({"cni": ["05-other.conf"]}, "mv /etc/cni/net.d/05-other.conf /root/"),
        ({"kubelet_files": ["/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"]}, "10-kubeadm.conf"),
    ],
)
def test_a_fresh_host_that_a_cluster_cannot_live_with(surroundings, words):
    assert words in "\n".join(found(**around(**surroundings)))


@pytest.mark.parametrize(
    "surroundings",
    [
        {"networks": [{"network": "10.244.1.1/24", "device": "cni0"}]},
        {"networks": [{"network": "10.244.2.0/24", "device": "flannel.1"}]},
        {"networks": [route("10.244.2.0/24", M1)]},
        {"networks": [{"network": "default", "device": "eth0"}, {"network": "172.17.0.1/16", "device": "docker0"}]},
        {"kernel": "5.13.0"},
        {"kernel": "6.1.0-18-amd64"},
        {"name_servers": ["127.0.0.1", "10.0.0.53"]},
        {"cni": ["10-flannel.conflist", "87-podman-bridge.conflist"]},
        {"manifests": ["kube-apiserver.yaml"]},
    ],
)  # fmt: skip
def test_what_is_no_obstacle(surroundings):
    assert found(**around(**surroundings)) == []


def test_what_a_running_cluster_has_made_of_a_host_is_none_either():
    made = {"networks": [{"network": "10.244.1.0/24", "device": "ens3"}], "manifests": ["own.yaml"]}
    assert found(CONVERGED, **around(**made)) == []


def test_name_servers_that_the_inventory_chooses_are_not_judged():
    chosen = samples.inventory(workers=1, tuning={"kubelet": {"resolvConf": "/etc/resolv-upstream.conf"}})
    assert found(inventory=chosen, **around(name_servers=["127.0.0.53"])) == []


@pytest.mark.parametrize("field", ["machine_id", "product_uuid"])
def test_hosts_that_were_cloned_are_named_together(field):
    observation = samples.altered(FRESH, "m1", surroundings={field: "abc"})
    [problem] = found(observation, "m2", surroundings={field: "abc"})
    assert problem.startswith("m1, m2 have the same")


def test_a_balancer_that_serves_something_else():
    files = [
        {"program": "haproxy", "path": "/etc/haproxy/haproxy.cfg", "sections": ["listen web", "frontend mail"]},
        {"program": "haproxy", "path": "/etc/haproxy/conf.d/x.cfg", "sections": ["listen ldap"]},
        {"program": "keepalived", "path": "/etc/keepalived/keepalived.conf", "sections": ["vrrp_instance db"]},
    ]
    haproxy, keepalived = found(host="lb1", balancer=BALANCER | {"other_sections": files})
    assert haproxy.startswith("lb1: its haproxy serves something else too")
    assert "haproxy.cfg: listen web, frontend mail; /etc/haproxy/conf.d/x.cfg: listen ldap" in haproxy
    assert keepalived.startswith("lb1: its keepalived serves something else too")
    assert "keepalived.conf: vrrp_instance db" in keepalived


def test_a_balancer_of_another_cluster_and_one_whose_masters_change():
    [problem] = found(host="lb1", balancer=BALANCER | OTHERS)
    assert "a load balancer of another cluster" in problem
    assert "behind 10.9.9.9" in problem
    assert found(host="lb1", balancer=BALANCER | {"balanced": ["10.9.9.1", "10.0.0.21"]}) == []
