"""What may be taken off while the rest of the cluster serves."""

from contextlib import nullcontext

import pytest
import samples
from contexts import context_of

from haplane.domain.observed import Observation
from haplane.errors import BadInput, Refused
from haplane.phases.reset.reset_hosts import refuse_another_cluster, refuse_needed_hosts
from haplane.workflows.prepare import hosts_named

INVENTORY = samples.inventory()


def refused(observation, *names, inventory=INVENTORY):
    context = context_of(inventory, observation, named=names)
    try:
        refuse_needed_hosts(context)
    except Refused as refusal:
        return refusal.why
    return None


CONVERGED = samples.converged(INVENTORY)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("m1",), None),
        (("lb1",), None),
        (("m1", "m2"), "2 of 3 etcd members"),
        (("m1", "m2", "m3"), "no API server is ready other than"),
        (("lb1", "lb2"), "no load balancer would be left"),
    ],
)
def test_what_the_cluster_cannot_do_without_stays(names, why):
    found = refused(CONVERGED, *names)
    assert found is None if why is None else why in found


def test_a_member_stays_while_another_is_down():
    down = samples.altered(CONVERGED, "m2", etcd=samples.document()["etcd"])
    assert "3 voters" in refused(down, "m1")
    assert refused(down, "m2") is None


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("m1", "m2", "m3"), "no API server is ready other than"),
        (("m1", "m2"), "2 of 3 etcd members"),
        (("m1",), None),
        (("m4", "m5", "m6"), None),
    ],
)
def test_hosts_that_leave_are_the_cluster_while_nobody_has_taken_their_place(names, why):
    """All masters are to be exchanged, and the new ones have nothing yet."""
    everyone = samples.inventory(masters=6)
    new = everyone.masters[3:]
    inventory = everyone.model_copy(update={"masters": new, "etcd": new, "leaving": everyone.masters[:3]})
    fresh = samples.fresh(everyone).reports
    observation = Observation(reports={**fresh, **CONVERGED.reports})
    found = refused(observation, *names, inventory=inventory)
    assert found is None if why is None else why in found


def test_remains_of_another_cluster_may_go_while_this_one_does_not_exist():
    assert refused(samples.fresh(INVENTORY), "m1", "m2", "m3") is None


def test_a_name_nobody_has_is_bad_input():
    with pytest.raises(BadInput, match="m9"):
        hosts_named(INVENTORY, ("m9",))


@pytest.mark.parametrize(
    ("made_for", "is_refused"),
    [
        (("prod", "prod", "prod"), True),
        (("prod", "prod", None), True),
        (("prod", None, None), False),
        (("test", "test", "prod"), False),
        (("x; id", "x; id", "x; id"), False),
    ],
)
def test_a_copy_of_an_inventory_under_another_name_does_not_end_that_cluster(made_for, is_refused):
    """The name that is to be typed is the inventory's: it says nothing of whose cluster is on the hosts."""
    observation = CONVERGED
    for master, name in zip(INVENTORY.masters, made_for, strict=True):
        observation = samples.altered(observation, master.name, settings={"cluster": name} if name else {})
    context = context_of(INVENTORY, observation)
    with pytest.raises(Refused, match="of the cluster prod") if is_refused else nullcontext() as refusal:
        refuse_another_cluster(context)
    assert not is_refused or 'cluster["name"] = "prod"' in refusal.value.next_step
