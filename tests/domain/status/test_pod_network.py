"""What pods lack on nodes that are Ready, and the step that brings it."""

import pytest
import samples
from statuses import status_of

from haplane.desired.hosts import nftables
from haplane.domain.cluster_health import Precedence
from haplane.domain.decide import decide
from haplane.domain.plan import Kind
from haplane.domain.steps.pod_network import lost_by

INVENTORY = samples.inventory(workers=1)
CONVERGED = samples.converged(INVENTORY)
KUBE_PROXY, FLANNEL = "kube-proxy", "flannel-ipv4"


def seen(name, inventory=INVENTORY, **precedence):
    """The problems, and by host which pods are replaced."""
    observation = samples.altered(CONVERGED, name, precedence=precedence)
    wants = samples.wants(inventory, dict(observation.reports))
    plan = decide(samples.cluster_of(inventory), wants, observation)
    replaced = [(step.host, [item.split("/")[1] for item in step.items]) for step in plan.of(Kind.REPLACE_PODS)]
    return status_of(inventory, observation).lines, replaced


@pytest.mark.parametrize("name", ["m2", "w1"])
@pytest.mark.parametrize(("left", "lost"), [([FLANNEL], "kube-proxy"), ([KUBE_PROXY], "flannel")])
def test_a_packet_filter_that_was_emptied_is_named_and_up_fills_it_again(name, left, lost):
    """`systemctl restart nftables` does it: neither kube-proxy nor flannel looks at its table again."""
    (problem,), replaced = seen(name, tables=left)
    assert problem.startswith(f"{name}: its pods")
    assert "the packet filter was emptied" in problem
    assert problem.endswith("fix: `haplane up inventories/test.py`")
    assert replaced == [(name, [lost])]
    assert seen(name, tables=[KUBE_PROXY, FLANNEL]) == seen(name, tables=None) == ((), [])


def test_only_tables_that_the_inventory_asks_for_are_missed():
    assert nftables(INVENTORY) == (KUBE_PROXY, FLANNEL)
    assert nftables(samples.inventory(proxy_mode="iptables", pod_network_manifest="cilium.yaml")) == ()
    assert lost_by((), Precedence(tables=(), no_subnet=True)) == {}


def test_flannels_file_is_what_new_pods_need():
    (problem,), replaced = seen("m2", no_subnet=True)
    assert "(/run/flannel/subnet.env is gone)" in problem
    assert replaced == [("m2", ["flannel"])]


def test_a_kubelet_that_has_just_started_has_its_pods_still_to_start():
    units = CONVERGED.reports["m2"].model_dump()["units"]
    started = CONVERGED.reports["m2"].started_at - 5
    units["kubelet"] |= {"active_since": started}
    observation = samples.altered(CONVERGED, "m2", precedence={"tables": []}, units=units)
    assert status_of(INVENTORY, observation).lines == ()


def connected(name="w1", tunnel=False, node=None, report=None, **changes):
    """Where every node is connected, but for this one: as `seen`. ``node`` is changed on its Node."""
    inventory = samples.inventory(workers=1, flannel_backend="vxlan" if tunnel else "host-gw")
    observation = samples.converged(inventory)
    networks = {host.name: f"10.244.{number}" for number, host in enumerate(inventory.nodes)}
    for host in inventory.nodes:
        told = observation.reports[host.name].kubernetes
        view = told.model_dump() if told else None
        for one in view["nodes"] if view else ():
            one["pod_network"] = f"{networks[one['name']]}.0/24"
            one.update(node or {} if one["name"] == name else {})
        own = {
            "subnet": f"{networks[host.name]}.1/24",
            "links": {"cni0": True} | ({"flannel.1": True} if tunnel else {}),
            "routes": [f"{network}.0/24" for network in networks.values()],
        }
        mine = changes if host.name == name else {}
        addresses = {"eth1": [str(host.address)], "cni0": [f"{networks[host.name]}.1"]}
        changed = {"pod_network": own | mine, "kubernetes": view, "addresses": addresses}
        changed |= (report or {}) if host.name == name else {}
        observation = samples.altered(observation, host.name, **changed)
    wants = samples.wants(inventory, dict(observation.reports))
    plan = decide(samples.cluster_of(inventory), wants, observation)
    replaced = [(step.host, [item.split("/")[1] for item in step.items]) for step in plan.of(Kind.REPLACE_PODS)]
    return status_of(inventory, observation).lines, replaced


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("its Node was made anew", {"node": {"unannounced": True}}),
        ("its pods' network is 10.244.9.0/24, flannel started with 10.244.3.0/24",
         {"node": {"pod_network": "10.244.9.0/24"}}),
        ("cni0 has 10.244.7.1, which is not in 10.244.3.0/24",
         {"report": {"addresses": {"eth1": ["10.0.0.61"], "cni0": ["10.244.7.1"]}}}),
        ("the bridge cni0 is down", {"links": {"cni0": False}}),
        ("the tunnel flannel.1 is down", {"tunnel": True, "links": {"flannel.1": False}}),
        ("the tunnel flannel.1 is gone", {"tunnel": True, "links": {}}),
        ("2 of its pods are connected to no bridge", {"links": {}, "detached": 2}),
        ("no route to the pods of m2", {"routes": ["10.244.0.0/24", "10.244.2.0/24"]}),
    ],
)  # fmt: skip
def test_what_no_longer_connects_a_nodes_pods_is_named_and_up_makes_it_again(why, changes):
    """Nodes and pods are Ready all the same: flannel makes it when it starts, and looks at most of it never again."""
    (problem,), replaced = connected(**changes)
    assert problem.startswith("w1: its pods do not reach what is on other nodes or outside of the cluster, or")
    assert why in problem
    assert replaced == [("w1", ["flannel"])]


@pytest.mark.parametrize("tunnel", [True, False])
def test_nothing_is_amiss_where_all_is_connected_or_a_node_has_no_pods_yet(tunnel):
    assert connected(tunnel=tunnel) == ((), [])
    assert connected(tunnel=tunnel, links={"flannel.1": True}) == ((), [])


def test_flannel_that_has_just_started_has_the_rest_still_to_make():
    at = CONVERGED.reports["w1"].started_at
    assert connected(subnet_since=at - 5, routes=[], node={"unannounced": True}) == ((), [])
    assert connected(subnet_since=at - 60, routes=[])[1] == [("w1", ["flannel"])]


def test_a_node_without_its_object_gets_flannel_anew_with_it():
    """Flannel notes its way on the Node when it starts: on the new one nobody would find its pods."""
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        view = CONVERGED.reports[name].kubernetes.model_dump()
        view["nodes"] = [node for node in view["nodes"] if node["name"] != "w1"]
        observation = samples.altered(observation, name, kubernetes=view)
    wants = samples.wants(INVENTORY, dict(observation.reports))
    plan = decide(samples.cluster_of(INVENTORY), wants, observation)
    assert [step.host for step in plan.of(Kind.KUBELET)] == ["w1"]
    assert [(step.host, step.items) for step in plan.of(Kind.REPLACE_PODS)] == [
        ("w1", ("kube-flannel/flannel/app=flannel",))
    ]


@pytest.mark.parametrize("network", ["fd00::/64", "999.1.1.1/24", "10.244.0.0/99", "`x`"])
def test_what_is_no_network_is_not_known(network):
    """Neither the text of an API server nor of a host is taken for one before it is parsed."""
    assert connected(node={"pod_network": network}) == ((), [])
    assert connected(report={"addresses": {"cni0": ["none"]}})[1] == [("w1", ["flannel"])]
    assert connected(subnet="300.0.0.1/24") == ((), [])


REFUSED = 'FailedCreate: Internal error occurred: failed calling webhook "a.b": service "there" not found'


def unmade(**changes):
    """Problems and planned replacements while flannel has no pod on w1, by the word of all masters or of one."""
    well = {"ready": True, "reason": "", "message": ""}
    pods = [{"name": f"flannel-{name}", "node": name} | well for name in ("m1", "m2", "m3")]
    one = {"name": "kube-flannel/flannel", "desired": 4, "ready": 3, "pods": pods, "warning": REFUSED}
    observation = CONVERGED
    for name in changes.pop("seen_by", ("m1", "m2", "m3")):
        sets = [one, {"name": "kube-system/kube-proxy", "desired": 4, "ready": 4}]
        told = samples.workloads(INVENTORY, daemon_sets=sets, **changes)
        observation = samples.altered(observation, name, workloads=told)
    wants = samples.wants(INVENTORY, observation.reports)
    plan = decide(samples.cluster_of(INVENTORY), wants, observation)
    lines = [one for one in status_of(INVENTORY, observation).lines if "kube-flannel/flannel" in one]
    return lines, [(step.host, step.items) for step in plan.of(Kind.REPLACE_PODS)]


def test_pods_that_were_refused_for_long_are_tried_again_by_up():
    """The webhook is gone, and the DaemonSet's controller tries again in up to 16 minutes."""
    (found,), steps = unmade()
    assert found.endswith("fix: `haplane up inventories/test.py`")
    assert steps == [("w1", ("kube-flannel/flannel/app=flannel",))]


def test_pods_that_are_still_refused_are_not():
    hook = {"kind": "validatingwebhookconfiguration", "name": "v", "webhook": "a.b", "why": "gone"}
    (found, *_), steps = unmade(webhooks=[hook])
    assert "`kubectl delete validatingwebhookconfiguration v`" in found
    assert steps == []
    (found,), steps = unmade(refused={"kube-flannel/flannel": "exceeded quota: q"})
    assert "`kubectl --namespace=kube-flannel delete resourcequota q`" in found
    assert steps == []
    _, steps = unmade(seen_by=["m2"])
    assert steps == [], "by one master's word nothing is replaced"


def networks(name, *found, inventory=INVENTORY):
    """The problems, with these networks of the host."""
    seen = [dict(zip(("network", "device", "gateway"), one, strict=True)) for one in found]
    return status_of(
        inventory, samples.altered(samples.converged(inventory), name, surroundings={"networks": seen})
    ).lines


def test_a_network_that_a_node_got_later_and_that_takes_packets_of_the_cluster_is_named():
    """Only new hosts were compared: a VPN that came later took a node's pods away from the others."""
    [problem] = networks("w1", ("10.244.8.0/24", "tun0", ""), ("10.8.0.0/24", "tun0", ""))
    assert problem.startswith("w1: 10.244.8.0/24 (tun0) is inside pod_network 10.244.0.0/16")
    assert "`ip -4 route show table all root 10.244.0.0/16`" in problem
    [problem] = networks("m1", ("10.96.7.0/24", "eth1", "192.0.2.1"))
    assert "is inside service_network 10.96.0.0/" in problem


def test_a_pod_network_of_the_users_may_have_any_route_into_it(tmp_path):
    (tmp_path / "calico.yaml").write_text(samples.NETWORK_MANIFEST)
    chosen = samples.inventory(workers=1, pod_network_manifest=str(tmp_path / "calico.yaml"))
    assert networks("w1", ("10.244.1.0/26", "eth0", "10.0.0.22"), inventory=chosen) == ()


@pytest.mark.parametrize(
    ("host", "network", "settings"),
    [
        ("w1", ("10.244.1.0/24", "flannel.1", "10.244.1.0"), {}),
        ("w1", ("10.244.2.1/24", "cni0", ""), {}),
        ("w1", ("10.0.0.0/8", "eth1", "10.0.0.1"), {}),
        ("w1", ("10.244.1.0/24", "eth0", "10.0.0.99"), {"flannel_backend": "host-gw"}),
        ("lb1", ("10.244.8.0/24", "tun0", ""), {}),
    ],
)
def test_what_pod_networks_make_and_wider_routes_are_no_problem(host, network, settings):
    """Nor anything of a load balancer, which has nothing to do with pods."""
    assert networks(host, network, inventory=samples.inventory(workers=1, **settings)) == ()
