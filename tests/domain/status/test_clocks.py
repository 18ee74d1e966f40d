"""Clocks that are off: named, and no reason to conclude that nobody leads."""

import pytest
import samples
from contexts import FakeExecutor, context_of
from statuses import status_of

from haplane.domain.clocks import Window
from haplane.observation.health import judge

INVENTORY = samples.inventory()
MASTERS = ("m1", "m2", "m3")
CONVERGED = samples.converged(INVENTORY)
WINDOW = Window(1000, 1003)


def observed(ahead, ages=None, holder="m2_1"):
    """Hosts whose clocks are ahead by this. By master how long ago the leases were renewed; 1.5 s, seen by all."""
    observation, written = CONVERGED, ahead.get(holder.partition("_")[0], 0)
    for name in CONVERGED.reports:
        own = ahead.get(name, 0)
        told = {"started_at": 1001 + own, "finished_at": 1002 + own}
        if name in MASTERS:
            age = (ages or dict.fromkeys(MASTERS, 1.5)).get(name, 1.5)
            lease = {"holder": "", "age_seconds": None}
            if age is not None:
                lease = {"holder": holder, "age_seconds": age + own - written}
            leases = {"kube-scheduler": lease, "kube-controller-manager": lease}
            lacks = ages is not None and name not in ages
            told["workloads"] = None if lacks else samples.workloads(INVENTORY, leases=leases)
        observation = samples.altered(observation, name, **told)
    return observation


def problems(*args, **more):
    return status_of(INVENTORY, observed(*args, **more), WINDOW).lines


@pytest.mark.parametrize(
    ("ahead", "words"),
    [(40, "at least 39 s ahead of the controller's"), (-40, "at least 39 s behind the controller's")],
)
def test_a_host_whose_clock_is_off_is_named(ahead, words):
    for name in ("m1", "lb2"):
        assert problems({name: ahead}) == (
            f"{name}: its clock is off ({words}); fix: start a time service: on {name}: `systemctl restart chrony`",
        )


def test_where_all_hosts_are_off_to_one_side_it_is_the_controllers():
    (found,) = problems(dict.fromkeys(CONVERGED.reports, 300))
    assert found.startswith("the controller's clock is off (lb1, lb2, m1, m2, m3 are all ahead of it); fix: start ")


def test_within_the_tolerance_nothing_is_off():
    assert problems({"m1": 2.5, "m2": -2.5}) == ()


@pytest.mark.parametrize(
    ("ahead", "holder", "ages"),
    [
        ({"m1": 40}, "m2_1", None),  # who reads it is ahead
        ({"m1": 40}, "m2_1", {"m1": 1.5}),  # and the only one who reports it
        ({"m1": -40}, "m1_1", None),  # who wrote it is behind
        ({"m1": -40}, "m1.another-name_1", {"m1": 1.5, "m2": 41.5, "m3": 41.5}),
        ({"m1": 40}, "m1_1", None),
    ],
)
def test_a_clock_that_is_off_is_no_lost_leader(ahead, holder, ages):
    """m1 was 40 s ahead: "no kube-scheduler leads", with the advice to delete the lease."""
    (found,) = problems(ahead, ages, holder)
    assert found.startswith("m1: its clock is off")


@pytest.mark.parametrize(
    ("ages", "leads"),
    [
        ({"m1": 95, "m2": 95, "m3": 95}, False),
        ({"m1": 95, "m2": 1.5, "m3": 1.5}, True),
        ({"m1": 1.5, "m2": 95, "m3": 95}, False),
        ({"m1": None, "m2": 1.5, "m3": 1.5}, True),
        ({"m1": None, "m2": None, "m3": None}, False),
        ({"m1": 95, "m2": 1.5}, True),
    ],
)
def test_one_masters_word_is_not_enough_that_nobody_leads(ages, leads):
    assert any("no kube-scheduler leads" in one for one in problems({}, ages)) is not leads


def test_a_lease_that_nobody_renews_is_found_whatever_the_clocks_are():
    found = problems({"m1": -600}, {"m1": -505, "m2": 95, "m3": 95})
    assert any(
        "m2_1 has not renewed its lease for 95 s); fix: `haplane up inventories/test.py`" in one for one in found
    )


def test_status_compares_clocks_with_when_it_asked():
    context = context_of(INVENTORY, observed({"m1": 40}), executor=FakeExecutor(), window=WINDOW)
    assert [one.partition(" (")[0] for one in judge(context).lines] == ["m1: its clock is off"]
