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
