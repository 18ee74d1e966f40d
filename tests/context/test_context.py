"""What phases see of a run."""

import samples
from contexts import context_of

from haplane.domain import host_paths

INVENTORY = samples.inventory()


def test_the_master_that_is_sent_requests_has_an_administrators_kubeconfig():
    """admin.conf was gone from the first one: `up`, which was to write it anew, waited for it there and failed."""
    observation = samples.converged(INVENTORY)
    kept = observation.reports["m1"].model_dump()["files"]
    del kept[host_paths.ADMIN_KUBECONFIG]
    assert context_of(INVENTORY, observation).some_master().name == "m1"
    lacking = samples.altered(observation, "m1", files=kept)
    assert context_of(INVENTORY, lacking).some_master().name == "m2"
    for name in ("m2", "m3"):
        lacking = samples.altered(lacking, name, apiserver={"ready": False})
    assert context_of(INVENTORY, lacking).some_master().name == "m1", "no other one is ready"
