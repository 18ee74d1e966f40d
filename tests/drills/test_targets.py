"""Which host each run of a series breaks."""

from dataclasses import replace

import pytest
import samples
from contexts import drill_context
from statuses import status_of

from haplane.drills.targets import a_follower, a_master, a_node, etcd_leader


@pytest.fixture
def status(inventory):
    return status_of(inventory, samples.converged(inventory))


@pytest.fixture
def inventory():
    return samples.inventory(workers=1)


def hosts(choose, inventory):
    return [choose(replace(drill_context(inventory), turn=turn)) for turn in range(4)]


def test_masters_take_turns_but_for_the_one_that_leads_etcd(inventory, status):
    """Five runs of kill-apiserver met the same master, whose kubelet held the last of them back for minutes."""
    leader = etcd_leader(status)
    others = [host.name for host in inventory.masters if host.name != leader]
    assert hosts(lambda context: a_master(context, status, None)[0], inventory) == others * 2
    assert hosts(lambda context: a_follower(context, status, None), inventory) == others * 2


def test_what_was_named_or_has_no_other_is_broken_each_time(inventory, status):
    assert hosts(lambda context: a_master(context, status, "m1")[0], inventory) == ["m1"] * 4
    assert hosts(lambda context: a_node(context, status, None)[0], inventory) == ["w1"] * 4
