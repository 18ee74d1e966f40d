"""Webhooks that refuse nothing, and that API servers wait for at every request of the cluster's own."""

import pytest
import samples
from statuses import status_of

INVENTORY = samples.inventory()
WHY = "192.0.2.7:443 of its service gatekeeper/guard does not answer: timed out"
EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "operations": ["*"], "scope": "*"}]
HOOK = {
    "kind": "mutatingwebhookconfiguration", "name": "gatekeeper", "webhook": "guard.example.org",
    "target": "gatekeeper/guard", "why": WHY, "rules": EVERYTHING, "seconds": 10,
}  # fmt: skip


def problems(**workloads):
    observation = samples.converged(INVENTORY)
    for name in ("m1", "m2", "m3"):
        observation = samples.altered(observation, name, workloads=samples.workloads(INVENTORY, **workloads))
    return status_of(INVENTORY, observation).lines


def test_one_that_is_waited_for_at_the_clusters_own_requests_is_named():
    """Leaders renew leases within 10 s: they gave up leading, and status named nothing that explains it."""
    assert problems(delaying=[HOOK]) == (
        f"mutatingwebhookconfiguration gatekeeper delays every request for * by 10 s ({WHY}); "
        "fix: restore gatekeeper/guard, or `kubectl delete mutatingwebhookconfiguration gatekeeper`",
    )


OF_JOBS = [{"apiGroups": ["batch"], "resources": ["jobs"], "operations": ["*"]}]
OF_PODS = [{"apiGroups": [""], "resources": ["pods"], "operations": ["*"]}]


@pytest.mark.parametrize(
    "limits", [{"rules": OF_JOBS}, {"rules": OF_PODS, "namespaces": {"matchLabels": {"guarded": "yes"}}}]
)
def test_one_that_is_for_users_objects_alone_is_theirs(limits):
    assert problems(delaying=[HOOK | limits], namespaces={"kube-system": {}, "kube-flannel": {}}) == ()
