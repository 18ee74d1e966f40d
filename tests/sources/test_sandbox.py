from collections import Counter

import pytest

from haplane.sources.sandbox import _keys_of, _type_of

KEYS = {
    "/registry/secrets/default/a": "/api/v1/secrets",
    "/registry/minions/m1": "/api/v1/nodes",
    "/registry/services/specs/default/kubernetes": "/api/v1/services",
    "/registry/services/endpoints/default/kubernetes": "/api/v1/endpoints",
    "/registry/deployments/kube-system/coredns": "/apis/apps/v1/deployments",
    "/registry/leases/kube-node-lease/m1": "/apis/coordination.k8s.io/v1/leases",
    "/registry/apiregistration.k8s.io/apiservices/v1.": "/apis/apiregistration.k8s.io/v1/apiservices",
    "/registry/example.com/widgets/default/w": "/apis/example.com/v1/widgets",
}


@pytest.mark.parametrize("key", KEYS)
def test_a_key_belongs_to_the_resource_that_clients_list(key):
    assert _keys_of(KEYS[key], Counter([_type_of(key)])) == 1


def test_a_custom_resource_is_not_taken_for_a_built_in_one_of_its_name():
    keys = Counter([_type_of("/registry/secrets/default/a"), _type_of("/registry/example.com/secrets/default/a")])
    assert _keys_of("/apis/example.com/v1/secrets", keys) == 1
    assert _keys_of("/api/v1/secrets", keys) == 1
