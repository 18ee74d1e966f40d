"""One master after the other, and none once something is amiss."""

import pytest
import samples
from contexts import FakeExecutor, context_of

from haplane.domain.observed import Observation
from haplane.domain.plan import Kind, Step
from haplane.errors import Unreachable
from haplane.phases.converge.restart_control_planes import restart_control_planes
from haplane.phases.converge.restart_etcd import restart_members

INVENTORY = samples.inventory()
CONVERGED = samples.converged(INVENTORY)


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
