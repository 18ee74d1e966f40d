import samples
from contexts import context_of

from haplane.domain.plan import Kind, Step
from haplane.procedures.delete_nodes import delete_nodes

INVENTORY = samples.inventory()
CONVERGED = samples.converged(INVENTORY)


def test_a_node_that_came_back_since_the_plan_was_made_is_not_deleted():
    steps = [Step(Kind.DELETE_NODE, "old", "a master that is not in the inventory")]
    context = context_of(INVENTORY, CONVERGED, steps=steps)
    delete_nodes(context)
    assert context.executor.deployed == []
    assert context.executor.said[-1][0] == "old"
