"""Nodes that are Ready, and whose pods or host are not found where they are."""

import samples
from statuses import status_of

INVENTORY = samples.inventory(workers=2)


def lines(*, addresses=None, **nodes):
    """With these changes of the nodes, as all masters report them, and of w1's own addresses."""
    observation = samples.converged(INVENTORY)
    if addresses is not None:
        observation = samples.altered(observation, "w1", addresses=addresses)
    for name in ("m1", "m2", "m3"):
        told = observation.reports[name].kubernetes.model_dump()
        found = [node | nodes.get(node["name"], {}) for node in told["nodes"]]
        observation = samples.altered(observation, name, kubernetes=told | {"nodes": found})
    return status_of(INVENTORY, observation).lines


def test_a_node_that_was_deleted_and_is_held():
    (line,) = lines(w1={"deleted": True})
    assert line.startswith("w1: its Node was deleted, and finalizers hold it (it goes as soon as they do")
    assert """`kubectl patch node w1 --type=merge --patch='{"metadata":{"finalizers":null}}'`""" in line


def test_two_nodes_with_one_network_for_their_pods():
    same = {"pod_network": "10.244.7.0/24"}
    (line,) = lines(w1=same, w2=same)
    assert line.startswith("w1, w2: their pods get addresses of the same network 10.244.7.0/24")
    assert "kubectl delete node w2" in line
    assert lines(w1=same, w2={"pod_network": "10.244.8.0/24"}) == ()


def test_a_node_with_another_address_than_the_inventorys():
    (line,) = lines(w1={"address": "10.9.9.9"})
    assert line.startswith("w1: its Node has the address 10.9.9.9, the inventory 10.0.0.61")


def test_a_host_that_has_lost_its_address():
    (line,) = lines(addresses={"lo": ["127.0.0.1"], "eth0": ["192.0.2.9"]})
    assert line.startswith("w1: no interface has its address 10.0.0.61 (it has 192.0.2.9)")
