"""What pods lack on nodes that are Ready."""

import pytest
import samples
from statuses import status_of

INVENTORY = samples.inventory(workers=1)
CONVERGED = samples.converged(INVENTORY)
KUBE_PROXY, FLANNEL = "kube-proxy", "flannel-ipv4"


def found(name, inventory=INVENTORY, **precedence):
    return status_of(inventory, samples.altered(CONVERGED, name, precedence=precedence)).problems


@pytest.mark.parametrize("name", ["m2", "w1"])
@pytest.mark.parametrize(
    ("left", "pods"),
    [
        ([FLANNEL], "--namespace=kube-system delete pods --selector=k8s-app=kube-proxy"),
        ([KUBE_PROXY], "--namespace=kube-flannel delete pods"),
    ],
)
def test_a_packet_filter_that_was_emptied_is_named_with_what_fills_it_again(name, left, pods):
    """`systemctl restart nftables` does it: neither kube-proxy nor flannel looks at its table again."""
    (problem,) = found(name, tables=left)
    assert problem.startswith(f"{name}: ")
    assert "somebody has emptied it" in problem
    assert problem.endswith(f"fix: `kubectl {pods} --field-selector=spec.nodeName={name}`")
    assert found(name, tables=[KUBE_PROXY, FLANNEL]) == found(name, tables=None) == ()


def test_only_tables_that_the_inventory_asks_for_are_missed():
    other = samples.inventory(workers=1, proxy_mode="iptables", pod_network_manifest="cilium.yaml")
    assert found("m2", other, tables=[], no_subnet=True) == ()


def test_flannels_file_is_what_new_pods_need():
    (problem,) = found("m2", no_subnet=True)
    assert problem.startswith("m2: no new pod starts there (/run/flannel/subnet.env is gone)")
