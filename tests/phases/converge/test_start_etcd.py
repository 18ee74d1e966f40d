import pytest
import samples
from contexts import context_of

from haplane.domain.plan import Kind, Step
from haplane.phases.converge.start_etcd import start_members

INVENTORY = samples.inventory()
CONVERGED = samples.converged(INVENTORY)


@pytest.mark.parametrize(
    ("ready", "other", "expected"), [(False, None, [["m3"]]), (True, None, []), (False, Kind.RECOVER, [])]
)
def test_an_api_server_that_only_lacked_etcd_is_not_left_to_the_kubelets_back_off(ready, other, expected):
    observation = samples.altered(CONVERGED, "m3", apiserver={"ready": ready})
    steps = [Step(Kind.START_ETCD, "m3", "it is not running")]
    steps += [Step(other, "m3", "")] if other else []
    context = context_of(INVENTORY, observation, steps=steps)
    start_members(context)
    back = [hosts for name, hosts, _ in context.executor.deployed if name == "put_back_control_plane"]
    assert back == expected
