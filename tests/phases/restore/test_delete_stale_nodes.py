import samples
from contexts import FakeExecutor, context_of

from haplane.domain.observed import Observation
from haplane.phases.restore import delete_stale_nodes


def test_a_master_of_the_restored_data_is_forgotten_once_it_is_known_to_be_gone(monkeypatch):
    """The data say that m4 is Ready, as it was when they were saved."""
    four = samples.converged(samples.inventory(masters=4))
    ready = Observation(reports={name: four.reports[name] for name in ("m1", "m2", "m3")})
    told = four.reports["m1"].kubernetes.model_dump()
    nodes = [node | {"ready": node["name"] != "m4"} for node in told["nodes"]]
    gone = ready
    for name in ("m1", "m2", "m3"):
        gone = samples.altered(gone, name, kubernetes=told | {"nodes": nodes})
    forgotten = []
    monkeypatch.setattr(delete_stale_nodes, "decide_steps", lambda context: None)
    monkeypatch.setattr(delete_stale_nodes, "delete_nodes", lambda context: forgotten.append(context.executor.clock))
    context = context_of(samples.inventory(), ready, executor=FakeExecutor([ready, ready, gone]))
    delete_stale_nodes.delete_stale_nodes(context)
    assert forgotten == [2]
    delete_stale_nodes.delete_stale_nodes(context_of(samples.inventory(), samples.converged(samples.inventory())))
    assert forgotten == [2]
