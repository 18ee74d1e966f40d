"""The nodes as a majority of the masters reports them, whatever another host reports."""

from types import SimpleNamespace

from haplane.checks.fleet import Fleet, Machine
from haplane.domain.observed import Node

NAMES = ("m1", "m2")


def node(name, ready):
    return Node(
        name=name, uid=name, ready=ready, labels=(), taints=(), unschedulable=False, kubelet_version="", address=""
    )


def machine(name, role, **nodes):
    documents = SimpleNamespace(nodes=tuple(node(*each) for each in nodes.items()))
    facts = SimpleNamespace(documents=documents, kubelets={"m1": {"kubeletconfig": {"of": name}}})
    return Machine(SimpleNamespace(name=name), (role,), None, facts)


def fleet(*machines):
    return Fleet({one.name: one for one in machines}, {})


def seen(found):
    return {node.name: node.ready for node in found.nodes()}


def test_a_worker_is_not_believed_about_nodes_nor_kubelets():
    found = fleet(machine("w1", "worker", m1=True, ghost=True), machine("m1", "master", m1=False))
    assert seen(found) == {"m1": False}
    assert found.kubelet("m1") == {"of": "m1"}


def test_one_master_makes_no_node_ready_and_invents_none():
    honest = [machine(name, "master", m1=True, m2=False) for name in NAMES]
    liar = machine("m3", "master", m1=False, m2=True, ghost=True)
    assert seen(fleet(liar, *honest)) == {"m1": True, "m2": False}
    assert seen(fleet(liar, honest[0])) == {"m1": False, "m2": False}
    assert seen(fleet()) == {}
