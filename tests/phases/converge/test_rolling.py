"""One master after the other, and none once something is amiss."""

import pytest
import samples
from contexts import FakeExecutor, context_of

from haplane.domain.guard import may_restart_etcd
from haplane.domain.observed import Observation
from haplane.domain.plan import Kind, Step
from haplane.errors import Refused, Unreachable
from haplane.phases.converge.rolling import (
    refuse_unless,
    restart_control_planes,
    restart_controllers,
    restart_members,
)

INVENTORY = samples.inventory()
CONVERGED = samples.converged(INVENTORY)


def late(name):
    """Its etcd runs and has not answered in time."""
    etcd = CONVERGED.reports[name].etcd.model_dump(by_alias=True) | {"reads_through_quorum": False}
    return samples.altered(CONVERGED, name, etcd=etcd)


def refuse(looks):
    context = context_of(INVENTORY, CONVERGED, executor=FakeExecutor(looks))
    refuse_unless(context, INVENTORY.host("m2"), INVENTORY.etcd, may_restart_etcd)
    return context.executor


def test_a_member_that_answers_late_is_looked_at_again_before_the_next_is_refused():
    assert refuse([late("m1"), late("m1"), CONVERGED]).clock == 2
    with pytest.raises(Refused, match="m2 must not be taken out of service now"):
        refuse([late("m1")])


class Leaving(FakeExecutor):
    """One master answers no more once the first was drained."""

    def __init__(self, gone):
        reports = {name: report for name, report in CONVERGED.reports.items() if name != gone}
        super().__init__([CONVERGED])
        self.later = Observation(reports=reports, unreachable={gone: "it answers no more"})

    def deploy(self, hosts, recipe, **arguments):
        super().deploy(hosts, recipe, **arguments)
        self.looks = [self.later]


@pytest.mark.parametrize("gone", ["m2", "m3"])
def test_a_master_that_goes_away_meanwhile_is_the_end_before_another_is_drained(gone):
    steps = [Step(Kind.CONTROL_PLANE, name, "a setting") for name in ("m1", "m2", "m3")]
    context = context_of(INVENTORY, CONVERGED, steps=steps, executor=Leaving(gone))
    with pytest.raises(Unreachable, match=f"{gone} cannot be reached any more"):
        restart_control_planes(context)
    drained = [given["server"] for name, _, given in context.executor.deployed if name == "drain_server"]
    assert drained == ["apiservers/m1"]


def test_what_does_not_lead_is_restarted_one_host_after_the_other():
    steps = [Step(Kind.LEAD, name, "no kube-scheduler leads", ("kube-scheduler",)) for name in ("m1", "m2")]
    context = context_of(INVENTORY, CONVERGED, steps=steps)
    restart_controllers(context)
    assert [(hosts, given["component"]) for _, hosts, given in context.executor.deployed] == [
        (["m1"], "kube-scheduler"),
        (["m2"], "kube-scheduler"),
    ]


def test_a_member_restarts_once_its_masters_api_server_has_no_connections():
    """It has no other etcd: what came over kept connections waited until that was back, 9 s."""
    context = context_of(INVENTORY, CONVERGED, steps=[Step(Kind.ETCD, "m2", "a setting")])
    restart_members(context)
    assert [name for name, _, _ in context.executor.deployed] == [
        "drain_server",
        "wait_for_connection_drain",
        "restart_etcd",
        "wait_for_apiserver",
        "undrain_server",
    ]
