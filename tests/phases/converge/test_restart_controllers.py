import samples
from contexts import context_of

from haplane.domain.plan import Kind, Step
from haplane.phases.converge.restart_controllers import restart_controllers

INVENTORY = samples.inventory()
CONVERGED = samples.converged(INVENTORY)


def test_what_does_not_lead_is_restarted_one_host_after_the_other():
    steps = [Step(Kind.LEAD, name, "no kube-scheduler leads", ("kube-scheduler",)) for name in ("m1", "m2")]
    context = context_of(INVENTORY, CONVERGED, steps=steps)
    restart_controllers(context)
    assert [(hosts, given["component"]) for _, hosts, given in context.executor.deployed] == [
        (["m1"], "kube-scheduler"),
        (["m2"], "kube-scheduler"),
    ]
