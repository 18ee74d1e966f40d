"""One master after the other, and none once something is amiss."""

from pathlib import Path

import pytest
import samples

from haplane.domain.observed import Observation
from haplane.domain.plan import Kind, Plan, Step
from haplane.domain.progress import silent
from haplane.errors import Unreachable
from haplane.phases import rolling
from haplane.phases.phase import Run

INVENTORY = samples.inventory()
CONVERGED = samples.converged(INVENTORY)


@pytest.mark.parametrize("gone", ["m2", "m3"])
def test_a_master_that_goes_away_meanwhile_is_the_end_before_another_is_drained(monkeypatch, gone):
    drained = []

    def deploy(hosts, recipe, progress, **arguments):
        if recipe is rolling.recipes.drain_server:
            drained.append(arguments["server"])

    def observe(run):
        if drained:
            reports = {name: report for name, report in CONVERGED.reports.items() if name != gone}
            run.observation = Observation(reports=reports, unreachable={gone: "it answers no more"})

    monkeypatch.setattr(rolling, "deploy", deploy)
    monkeypatch.setattr(rolling, "observe", observe)
    run = Run(INVENTORY, samples.manifest(), Path(), silent, observation=CONVERGED)
    run.plan = Plan(tuple(Step(Kind.CONTROL_PLANE, name, "a setting") for name in ("m1", "m2", "m3")))
    with pytest.raises(Unreachable, match=f"{gone} cannot be reached any more"):
        rolling.restart_control_planes(run)
    assert drained == ["apiservers/m1"]
