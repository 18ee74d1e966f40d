"""Pods that do not reach API servers, though their nodes do."""

import pytest
import samples
from statuses import status_of

INVENTORY = samples.inventory(workers=2)
NODES = ("m1", "m2", "m3", "w1", "w2")
SERVICE, M1, M2 = "10.96.0.1", "10.0.0.21", "10.0.0.22"
REACHED = {"address": "10.96.0.10", "service": True, "from_pod": True, "reached": True}


def lines(unreached, *, dns=REACHED, changes=None, **cluster):
    """``unreached`` maps nodes to addresses that their pods get no connection to."""
    inventory = samples.inventory(workers=2, **cluster)
    observation = samples.converged(inventory)
    for name in NODES:
        lost = [{"address": one, "port": 6443, "why": "no answer"} for one in unreached.get(name, ())]
        observation = samples.altered(
            observation, name, pod_network={"dns": [dns], "unreached": lost}, **(changes or {}).get(name, {})
        )
    return [line for line in status_of(inventory, observation).lines if "its pods" in line or "pods on" in line]


def test_all_is_well():
    assert lines({}) == []


def test_a_masters_filter_that_drops_what_pods_send_it():
    """Its API server was ready, CoreDNS ran on with what it had, and a third of the requests of pods were lost."""
    (line,) = lines({"w1": [M1], "w2": [M1], "m2": [M1]})
    assert line.startswith(
        "m1: pods on m2, w1, w2 do not reach its API server: requests of pods fail (10.0.0.21:6443: no"
    )
    assert line.endswith("on m1: `nft list ruleset; ip -4 route; ip -br link`")


def test_one_node_alone_is_believed_about_itself():
    (line,) = lines({"w1": [SERVICE, M1, M2]})
    assert line.startswith(
        "w1: its pods do not reach the API server of m1, m2: requests of pods fail (10.0.0.21:6443"
    )
    assert line.endswith("on w1: `nft list ruleset; ip -4 route; ip -br link`")


def test_a_service_behind_which_nothing_is_though_api_servers_are_reached():
    (line,) = lines({"w1": [SERVICE]})
    assert line.startswith("w1: its pods do not reach the service kubernetes at 10.96.0.1: requests of pods fail (no")
    assert "--selector=k8s-app=kube-proxy --field-selector=spec.nodeName=w1" in line


@pytest.mark.parametrize(
    "how",
    [
        {"dns": REACHED | {"reached": False, "why": "no answer"}},
        {"changes": {"w1": {"precedence": {"tables": []}}}},
        {"changes": {"m1": {"apiserver": {"ready": False}}}},
    ],
)
def test_what_has_a_line_of_its_own_has_no_second_one(how):
    assert not any("API server" in line for line in lines({"w1": [M1]}, **how))


def test_with_a_pod_network_of_the_users_own_policies_may_keep_pods_from_it(tmp_path):
    (tmp_path / "cilium.yaml").write_text(samples.NETWORK_MANIFEST)
    assert lines({"w1": [M1]}, pod_network_manifest=str(tmp_path / "cilium.yaml")) == []
