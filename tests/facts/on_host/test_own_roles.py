"""Kubernetes' own roles, as the API lists them: what is gone is known by what it was paired with."""

import re

import pytest
from pydantic import TypeAdapter

from haplane.domain.cluster_health import ApiPath
from haplane.facts.on_host.rights import (
    BOUND,
    BOUND_BY_KUBEADM,
    FOR_USERS,
    METADATA_LISTS,
    RBAC_API,
    lost_of,
)

LISTED = re.compile(rf"{RBAC_API}/(?:namespaces/([^/]+)/)?(\w+)(\?labelSelector=.*|/.*|)")
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
    kinds = {"clusterroles": "roles", "roles": "role", "clusterrolebindings": "bindings", "rolebindings": "binding"}

    def api(paths, accept=None):
        assert accept == METADATA_LISTS or "/clusterroles?" not in paths[0], "rules are not read"
        found = {}
        for path in paths:
            namespace, kind, selector = LISTED.fullmatch(path).groups()
            if selector.startswith("?"):
                items = [one for one in told[kinds[kind]] if namespace in (None, one["metadata"].get("namespace"))]
                found[path] = {"items": items}
            elif path in there:
                found[path] = {}
        return found

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


def test_what_somebody_labels_in_a_namespace_of_their_own_is_none_of_kubernetes():
    """An administrator of one namespace had `up` restart an API server each time, for a binding of a deleted role."""
    mine = {
        "role": [*HEALTHY["role"], item("system:controller:mine", "team")],
        "binding": [*HEALTHY["binding"], binding("mine", "deleted", namespace="team", kind="Role")],
    }
    assert lost(**mine) == []


@pytest.mark.parametrize("name", ["system:controller:a@b", "system:controller:\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_a_name_that_is_none_of_kubernetes_own_makes_no_report_unreadable(name):
    """A role's name is any text without a slash: the reports of all masters at once were refused for one of them."""
    bindings = [*HEALTHY["bindings"], binding("x", name), binding(f"{name}@", subjects=0)]
    found = lost(roles=[*only(JOBS, "roles")["roles"], item(name)], bindings=bindings)
    assert TypeAdapter(tuple[ApiPath, ...]).validate_python(found) == (f"{RBAC_API}/clusterroles/{JOBS}",)


def test_an_api_server_that_lists_none_has_not_made_them_yet():
    assert lost(roles=[], role=[]) == []
