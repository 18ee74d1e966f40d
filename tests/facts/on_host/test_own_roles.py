"""Kubernetes' own roles, as the API lists them: what is gone is known by what it was paired with."""

import pytest

from haplane.facts.on_host.rights import (
    BOUND,
    BOUND_BY_KUBEADM,
    FOR_USERS,
    METADATA_LISTS,
    RBAC_API,
    listed_own,
    lost_of,
)

LEADER = "system::leader-locking-kube-scheduler"
JOBS = "system:controller:job-controller"


def item(name, namespace="", **fields):
    return {"metadata": {"name": name} | ({"namespace": namespace} if namespace else {}), **fields}


def binding(name, role=None, namespace="", kind="ClusterRole", subjects=1):
    ref = {"kind": kind, "name": role or name}
    return item(name, namespace, roleRef=ref, **({"subjects": [{}] * subjects} if subjects else {}))


NAMES = (*BOUND, JOBS)
HEALTHY = {
    "roles": [item(name) for name in (*NAMES, *BOUND_BY_KUBEADM, *FOR_USERS, "system:node")],
    "role": [item(LEADER, "kube-system"), item("extension-apiserver-authentication-reader", "kube-system")],
    "bindings": [*map(binding, NAMES), binding("system:node", subjects=0)],
    "binding": [
        binding(LEADER, namespace="kube-system", kind="Role"),
        binding(
            "system::extension-apiserver-authentication-reader",
            "extension-apiserver-authentication-reader",
            namespace="kube-system",
            kind="Role",
        ),
    ],
}


def lost(without="", there=(), **changes):
    """What is found where one of these lists is another one; ``without`` is gone from all."""
    told = {
        name: [one for one in items if one["metadata"]["name"] != without]
        for name, items in {**HEALTHY, **changes}.items()
    }
    lists = {
        listed_own("role", "cluster"): {"items": told["roles"]},
        listed_own("role"): {"items": told["role"]},
        listed_own("rolebinding", "cluster"): {"items": told["bindings"]},
        listed_own("rolebinding"): {"items": told["binding"]},
        **dict.fromkeys(there, {}),
    }

    def api(paths, accept=None):
        assert accept == METADATA_LISTS or "/clusterroles?" not in paths[0], "rules are not read"
        return {path: lists[path] for path in paths if path in lists}

    return lost_of(api)


def only(name, given):
    return {given: [one for one in HEALTHY[given] if one["metadata"]["name"] != name]}


def test_a_cluster_as_api_servers_make_it_lacks_nothing():
    assert lost() == []


@pytest.mark.parametrize(
    ("name", "given", "path"),
    [
        (JOBS, "roles", f"{RBAC_API}/clusterroles/{JOBS}"),
        (JOBS, "bindings", f"{RBAC_API}/clusterrolebindings/{JOBS}"),
        ("system:public-info-viewer", "bindings", f"{RBAC_API}/clusterrolebindings/system:public-info-viewer"),
        ("system:kubelet-api-admin", "roles", f"{RBAC_API}/clusterroles/system:kubelet-api-admin"),
        ("view", "roles", f"{RBAC_API}/clusterroles/view"),
        (LEADER, "role", f"{RBAC_API}/namespaces/kube-system/roles/{LEADER}"),
        (LEADER, "binding", f"{RBAC_API}/namespaces/kube-system/rolebindings/{LEADER}"),
        ("extension-apiserver-authentication-reader", "role",
         f"{RBAC_API}/namespaces/kube-system/roles/extension-apiserver-authentication-reader"),
    ],
)  # fmt: skip
def test_one_that_somebody_deleted_is_named(name, given, path):
    assert lost(**only(name, given)) == [path]
    assert lost(**only(name, given), there=[path]) == [], "it has lost its label alone"


def test_a_binding_that_binds_nobody_is_as_good_as_gone():
    bindings = [binding(name, subjects=name != JOBS) for name in NAMES]
    assert lost(bindings=bindings) == [f"{RBAC_API}/clusterrolebindings/{JOBS}"]


def test_an_api_server_that_lists_none_has_not_made_them_yet():
    assert lost(roles=[], role=[]) == []
