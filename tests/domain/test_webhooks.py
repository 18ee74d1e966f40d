"""Which of the cluster's own requests a webhook that does not answer refuses: no more and no fewer than it would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplane.domain.cluster_health import Webhook, Workloads
from haplane.domain.webhooks import Called, called

NAME = "kubernetes.io/metadata.name"
OWN = [
    {"resource": "configmaps", "namespace": "kube-public"},
    {"resource": "namespaces", "labels": {NAME: "kube-flannel"}},
    {"resource": "pods", "namespace": "kube-flannel", "labels": {"app": "flannel"}},
    {"group": "apps", "resource": "daemonsets", "namespace": "kube-system", "labels": {"k8s-app": "kube-proxy"}},
    {"group": "rbac.authorization.k8s.io", "resource": "clusterroles"},
]
SYSTEM = ("kube-system", "kube-public", "kube-flannel", "kube-node-lease")
NAMESPACES = {name: {NAME: name} for name in SYSTEM}
PODS = {"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"], "scope": "*"}
CLUSTER_ROLES = PODS | {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"]}
ALL = {"apiGroups": ["*"], "resources": ["*/*"], "operations": ["*"], "scope": "*"}


def others(*names):
    return {"matchExpressions": [{"key": NAME, "operator": "NotIn", "values": names}]}


def judged(rule=PODS, **changed):
    identity = {"kind": "validatingwebhookconfiguration", "name": "v", "webhook": "w", "why": "gone"}
    hook = Webhook.model_validate(identity | {"rules": [rule], **changed})
    return called(hook, Workloads.model_validate({"own": OWN, "namespaces": NAMESPACES}))


TEAM, INJECT = {"matchLabels": {"team": "a"}}, {"matchLabels": {"inject": "true"}}
OPT_OUT = {"matchExpressions": [{"key": "inject", "operator": "NotIn", "values": ["false"]}]}
LATER = {"matchExpressions": [{"key": "team", "operator": "Later"}]}
CASES = {
    "pods everywhere": ({}, Called.YES),
    "pods of a team's namespaces": ({"namespaces": TEAM}, Called.NO),
    "pods of kube-system": ({"namespaces": {"matchLabels": {NAME: "kube-system"}}}, Called.YES),
    "all but kube-system's": ({"namespaces": others("kube-system")}, Called.YES),
    "all but the cluster's own": ({"namespaces": others(*SYSTEM), "rule": ALL | {"scope": "Namespaced"}}, Called.NO),
    "all but those of two": ({"namespaces": others(*SYSTEM[::2]), "rule": ALL | {"scope": "Namespaced"}}, Called.YES),
    "an operator that is not known": ({"namespaces": LATER}, Called.YES),
    "pods that opted in": ({"objects": INJECT}, Called.NO),
    "pods that have not opted out": ({"objects": OPT_OUT}, Called.YES),
    "flannel's pods": ({"objects": {"matchLabels": {"app": "flannel"}}}, Called.YES),
    "CoreDNS' pods": ({"objects": {"matchLabels": {"k8s-app": "kube-dns"}}}, Called.YES),
    "opted in, of kube-system": ({"objects": INJECT, "namespaces": {"matchLabels": {NAME: SYSTEM[0]}}}, Called.NO),
    "no namespace's, whatever the selector": ({"rule": CLUSTER_ROLES, "namespaces": TEAM}, Called.YES),
    "no namespace's, by their labels": ({"rule": CLUSTER_ROLES, "objects": INJECT}, Called.NO),
    "nodes, whose labels are not known": ({"rule": PODS | {"resources": ["nodes"]}, "objects": INJECT}, Called.YES),
    "namespaces, by their labels": (
        {"rule": PODS | {"resources": ["namespaces"]}, "namespaces": TEAM},
        Called.NO,
    ),
    "exec": ({"rule": PODS | {"resources": ["pods/exec"], "operations": ["CONNECT"]}}, Called.NO),
    "evictions": ({"rule": PODS | {"resources": ["pods/eviction"]}}, Called.NO),
    "bindings": ({"rule": PODS | {"resources": ["pods/binding"]}}, Called.YES),
    "all that connects": ({"rule": ALL | {"operations": ["CONNECT"]}}, Called.NO),
    "ingresses": ({"rule": PODS | {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"]}}, Called.NO),
    "custom resources": ({"rule": PODS | {"apiGroups": ["cert-manager.io"], "resources": ["*"]}}, Called.NO),
    "pods of another group": ({"rule": PODS | {"apiGroups": ["metrics.k8s.io"]}}, Called.NO),
    "DaemonSets of any group": ({"rule": PODS | {"apiGroups": ["*"], "resources": ["daemonsets"]}}, Called.YES),
    "what is in no namespace": ({"rule": ALL | {"scope": "Cluster"}, "namespaces": TEAM}, Called.YES),
    "pods of no namespace": ({"rule": PODS | {"scope": "Cluster"}}, Called.NO),
    "pods, with conditions": ({"conditional": True}, Called.PERHAPS),
    "pods of others, with conditions": ({"conditional": True, "namespaces": TEAM}, Called.NO),
}


@pytest.mark.parametrize("case", CASES)
def test_a_webhook_is_called_for_what_its_rules_and_selectors_leave(case):
    given_, expected = CASES[case]
    assert judged(**given_) is expected


def test_a_namespace_of_which_no_labels_are_known_counts_as_selected():
    kind = "validatingwebhookconfiguration"
    hook = Webhook(kind=kind, name="v", webhook="w", why="gone", rules=[PODS], namespaces=TEAM)
    assert called(hook, Workloads()) is Called.YES


LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3)
TERM = st.fixed_dictionaries(
    {
        "key": st.sampled_from("abc"),
        "operator": st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
        "values": st.lists(st.sampled_from("xy"), max_size=2),
    }
)
SELECTOR = st.fixed_dictionaries({"matchLabels": LABELS, "matchExpressions": st.lists(TERM, max_size=2)})


def kubernetes_selects(selector, labels):
    """As labels.Selector of apimachinery has it, written once more."""
    terms = [(key, "In", [value]) for key, value in selector["matchLabels"].items()]
    terms += [(one["key"], one["operator"], one["values"]) for one in selector["matchExpressions"]]
    for key, operator, values in terms:
        listed = key in labels and labels[key] in values
        if {"In": not listed, "NotIn": listed, "Exists": key not in labels, "DoesNotExist": key in labels}[operator]:
            return False
    return True


@given(of_namespace=LABELS, of_object=LABELS, namespaces=SELECTOR, objects=SELECTOR)
def test_it_is_called_where_both_selectors_select_and_nowhere_else(of_namespace, of_object, namespaces, objects):
    own = [{"group": "example.org", "resource": "things", "namespace": "n", "labels": of_object}]
    rule = PODS | {"apiGroups": ["example.org"], "resources": ["things"]}
    selectors = {"namespaces": namespaces, "objects": objects}
    hook = Webhook.model_validate(
        {
            "kind": "validatingwebhookconfiguration",
            "name": "v",
            "webhook": "w",
            "why": "gone",
            "rules": [rule],
            **selectors,
        }
    )
    seen = called(hook, Workloads.model_validate({"own": own, "namespaces": {"n": of_namespace}}))
    expected = kubernetes_selects(namespaces, of_namespace) and kubernetes_selects(objects, of_object)
    assert (seen is Called.YES) is expected
