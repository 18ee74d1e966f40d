"""A name that ssh takes to another host of the inventory: a typing error in ssh_hostname, an old entry of DNS."""

import copy

import pytest
import samples
from contexts import write_bundle
from serving_nodes import Nodes, replicas
from statuses import status_of

from haplane.context.request import NodeRequest
from haplane.domain.observed import HostReport, Observation
from haplane.domain.progress import silent
from haplane.errors import Refused
from haplane.workflows.node import node
from haplane.workflows.reset import reset


@pytest.fixture
def cluster(tmp_path):
    """``w1`` leads to the master m1."""
    write_bundle(tmp_path)
    inventory = samples.inventory(workers=2, bundle=str(tmp_path), proxy_mode="nftables")
    found = Nodes(inventory, replicas("w1", "w2"))
    found.now_reported["w1"] = copy.deepcopy(found.now_reported["m1"])
    return found


def carry_out(verb, cluster, name):
    given = {"confirm": lambda _: True, "progress": silent, "executor": cluster}
    if verb == "reset":
        return reset(cluster.inventory, [name], **given)
    return node(cluster.inventory, verb, [name], NodeRequest(force=True), **given)


@pytest.mark.parametrize("verb", ["reset", "reboot", "patch", "remove"])
def test_nothing_is_done_to_a_host_under_anothers_name(cluster, verb):
    """`haplane reset INVENTORY w1` ended the API server and the member of m1, as if it were a worker."""
    with pytest.raises(Refused, match="w1 leads to m1") as refused:
        carry_out(verb, cluster, "w1")
    assert "ssh_hostname" in refused.value.next_step
    assert cluster.done_to("w1") == []


def test_other_hosts_can_be_worked_on(cluster):
    carry_out("reset", cluster, "w2")
    assert cluster.done_to("w2") == ["reset_host"]


def test_status_advises_to_take_no_address_from_that_host(cluster):
    """It advised to delete, on w1 and so on m1, the address of m1."""
    reports = {name: HostReport.model_validate(found) for name, found in cluster.now_reported.items()}
    lines = status_of(cluster.inventory, Observation(reports=reports)).lines
    [line] = [one for one in lines if one.startswith("w1: ")]
    assert line.startswith("w1: ssh leads to m1 (it has the address 10.0.0.21, not 10.0.0.61); fix: ")
    assert "ip address" not in line.partition("fix:")[2] or "show" in line
