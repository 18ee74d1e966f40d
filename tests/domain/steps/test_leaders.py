"""Nobody leads though all run: `up` restarts them one at a time, and frees a lease whose holder is gone."""

import pytest
import samples

from haplane.domain.decide import decide
from haplane.domain.plan import Kind

INVENTORY = samples.inventory()
CONVERGED = samples.converged(INVENTORY)
MASTERS = ("m1", "m2", "m3")
DEAD = {"holder": "m9_dead", "age_seconds": 95.0}
LONG_AGO, JUST_NOW = {"started_at": 40.0}, {"started_at": 90.0}
"""Reports of samples begin at 100."""


def steps(*, lease=DEAD, running=LONG_AGO, seen_by=MASTERS, offsets=None, **of_m2):
    observation = CONVERGED
    leases = {"kube-controller-manager": {"holder": "m1_1", "age_seconds": 1.5}}
    for name in MASTERS:
        state = running | (of_m2 if name == "m2" else {})
        told = samples.workloads(INVENTORY, leases=leases | ({"kube-scheduler": lease} if name in seen_by else {}))
        components = samples.components(kube_scheduler=state)
        observation = samples.altered(observation, name, workloads=told, components=components)
    wants = samples.wants(INVENTORY, observation.reports)
    plan = decide(samples.cluster_of(INVENTORY), wants, observation, offsets=offsets)
    return [(step.host, step.items, step.why) for step in plan.of(Kind.LEAD)]


def test_what_runs_and_does_not_lead_is_restarted():
    why = "no kube-scheduler leads: m9_dead has not renewed its lease for 95 s"
    assert steps() == [(name, ("kube-scheduler",), why) for name in MASTERS]


@pytest.mark.parametrize(
    "changes",
    [
        {"lease": {"holder": "m1_1", "age_seconds": 20.0}},
        {"lease": {"holder": "", "age_seconds": 3.0}},  # it was just given back
        {"running": JUST_NOW},
        {"running": {}},  # it does not run
        {"offsets": {"m1": 90.0, "m2": 90.0, "m3": 90.0}, "lease": DEAD | {"holder": "m8_1"}},
    ],
)
def test_nothing_is_restarted_before_its_time_or_in_vain(changes):
    assert steps(**changes) == []


def test_a_lease_that_is_dated_in_the_future_is_taken_from_its_holder():
    """Nobody else takes it before that day."""
    [(_, _, why), *_] = steps(lease={"holder": "ghost", "age_seconds": -2e9})
    assert why == "no kube-scheduler leads: ghost holds its lease, which is dated 2000000000 s in the future"


@pytest.mark.parametrize("holder", ["m1_1", "ghost"])
@pytest.mark.parametrize("ahead", [90.0, -90.0])
def test_clocks_that_are_all_ahead_of_this_machines_are_no_future(holder, ahead):
    assert steps(lease={"holder": holder, "age_seconds": 2.0}, offsets=dict.fromkeys(MASTERS, ahead)) == []


def test_one_that_gets_to_no_api_server_has_that_problem_alone():
    assert [host for host, _, _ in steps(unserved="https://10.0.0.10:6443: HTTP 403")] == ["m1", "m3"]


def test_a_master_whose_control_plane_is_restarted_anyway_is_left_out():
    assert [host for host, _, _ in steps(differing=["--v=4"])] == ["m1", "m3"]
