"""Ports between hosts, tried before anything is changed: one worker keeps no masters from being repaired."""

from dataclasses import replace

import pytest
import samples
from contexts import FakeExecutor, context_of

from haplane.domain.answers import Gathered
from haplane.domain.reach import Reach
from haplane.errors import UnfitHosts
from haplane.observation.reach import refuse_blocked_ports

INVENTORY = samples.inventory(workers=2)
M1, M2, W1, LB1 = (str(INVENTORY.host(name).address) for name in ("m1", "m2", "w1", "lb1"))


def new(*names):
    """A cluster that exists, these hosts fresh."""
    fresh = samples.fresh(INVENTORY).reports
    seen = samples.converged(INVENTORY)
    return replace(seen, reports=seen.reports | {name: fresh[name] for name in names})


def tried(observation, **failed):
    """After the look; ``failed`` are by host the targets that it reports as not answering."""
    context = context_of(INVENTORY, observation, executor=FakeExecutor())
    answers = {
        host.name: Reach((), tuple((target, "no answer") for target in failed.get(host.name, ())))
        for host in INVENTORY.hosts
    }
    context.executor.reach = lambda hosts, request: Gathered({host.name: answers[host.name] for host in hosts})
    refuse_blocked_ports(context)
    return context


@pytest.mark.parametrize(
    ("fresh", "name", "failed"),
    [
        ("w1", "w1", {"w1": [("tcp", LB1, 6443)]}),
        ("w1", "w1", {"m1": [("tcp", W1, 10250)]}),
        ("m3", "lb1", {"lb1": [("tcp", "10.0.0.23", 6443)]}),
    ],
)
def test_an_end_that_is_no_master_is_left_out_of_a_cluster_that_exists(fresh, name, failed):
    context = tried(new(fresh), **failed)
    assert name not in context.observation.reports
    assert "cannot be reached from" in context.observation.unreachable[name]
    assert name in context.view.left_out
    left_out = context.view.left_out[name]
    assert (name, f"left out: {left_out.why}") in context.executor.said
    assert left_out.next_step.startswith("allow it")


def test_a_worker_that_makes_targets_up_keeps_nobody_from_anything():
    context = tried(new("m3"), w1=[("tcp", M1, 2380), ("tcp", M2, 2379), ("tcp", "192.0.2.1", 1)])
    assert context.observation.unreachable == {}


def test_masters_that_do_not_reach_each_other_are_refused_still():
    with pytest.raises(UnfitHosts, match="m2: tcp port 2380") as refusal:
        tried(new("m1", "w1"), m1=[("tcp", M2, 2380)], w1=[("tcp", LB1, 6443)])
    assert "w1" not in str(refusal.value)


def test_before_there_is_a_cluster_every_host_has_to_be_right():
    with pytest.raises(UnfitHosts, match="from w1"):
        tried(samples.fresh(INVENTORY), w1=[("tcp", LB1, 6443)])
