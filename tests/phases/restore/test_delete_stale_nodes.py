import samples
from contexts import FakeExecutor, context_of
from fake_cluster import converged

from haplane.domain.observed import HostReport, Observation
from haplane.phases.restore.delete_stale_nodes import delete_stale_nodes


def test_a_master_of_the_restored_data_is_forgotten_once_it_is_known_to_be_gone():
    """The data say that m4 is Ready, as it was when they were saved."""
    four = converged(samples.inventory(masters=4))
    ready = Observation(reports={name: HostReport.model_validate(four[name]) for name in ("m1", "m2", "m3")})
    told = ready.reports["m1"].kubernetes.model_dump()
    nodes = [node | {"ready": node["name"] != "m4"} for node in told["nodes"]]
    gone = ready
    for name in ("m1", "m2", "m3"):
        gone = samples.altered(gone, name, kubernetes=told | {"nodes": nodes})
    context = context_of(samples.inventory(), ready, executor=FakeExecutor([ready, ready, gone]))
    delete_stale_nodes(context)
    assert (context.executor.deployed, context.executor.clock) == ([("delete_node", ["m1"], {"node": "m4"})], 2)
    context = context_of(samples.inventory(), samples.converged(samples.inventory()))
    delete_stale_nodes(context)
    assert context.executor.deployed == []
