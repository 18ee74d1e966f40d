"""What haplane's audit policy logs, and policies that only look as if they did."""

import json

import pytest

from haplane.checks.audit import SENSITIVE, Access, logs_anything, parse_policy, unlogged
from haplane.desired.audit import audit_policy

POLICY = parse_policy(audit_policy())
ALL = {"level": "Metadata"}
READS = ["get", "list", "watch"]


def policy(*rules, **more):
    return parse_policy(json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules, **more}))


def missing(*rules, **more):
    return {str(access) for access in unlogged(policy(*rules, **more))}


def test_execs_through_proxies_are_logged_whoever_sends_them():
    """Through the kubelet they are GETs, which are dropped of nodes and of service accounts in kube-system."""
    assert unlogged(POLICY) == []
    assert {Access("get", f"{kind}/proxy") for kind in ("nodes", "pods", "services")} < set(SENSITIVE)


def test_of_leases_and_events_only_reads_are_dropped():
    leases = [Access(verb, "leases", "coordination.k8s.io") for verb in ("get", "update", "delete")]
    events = [Access(verb, "events", group) for group in ("", "events.k8s.io") for verb in ("list", "delete")]
    assert {str(access) for access in unlogged(POLICY, [*leases, *events])} == {"get leases", "list events"}


@pytest.mark.parametrize(
    ("rules", "forgotten"),
    [
        ([{"level": "None"}, ALL], "get secrets"),
        ([{"level": "None", "verbs": READS, "userGroups": ["system:nodes"]}, ALL], "get nodes/proxy"),
        ([{"level": "None", "users": ["eve"]}, ALL], "delete pods"),
        ([{"level": "None", "namespaces": ["kube-system"]}, ALL], "create pods/exec"),
        ([{"level": "None", "resources": [{"group": "", "resources": ["*"]}]}, ALL], "get secrets"),
        ([{"level": "None", "resources": [{"resources": ["pods/*"]}]}, ALL], "get pods/proxy"),
        ([{"level": "None", "resources": [{"resources": ["*/proxy"]}]}, ALL], "get services/proxy"),
        ([{"level": "None", "resources": [{"resources": ["secrets"], "resourceNames": ["x"]}]}, ALL], "get secrets"),
        ([{"level": "Metadata", "users": ["alice"]}], "get secrets"),
        ([{"level": "Metadata", "resources": [{"resources": ["secrets"]}]}], "get configmaps"),
        ([{"level": "Metadata", "resources": [{"resources": ["pods"]}]}], "create pods/exec"),
        ([{"level": "Metadata", "omitStages": ["RequestReceived", "ResponseComplete"]}], "get secrets"),
    ],
)
def test_what_is_not_sure_to_be_logged(rules, forgotten):
    assert forgotten in missing(*rules)


def test_what_is_dropped_elsewhere_is_nobodys_business():
    assert missing({"level": "None", "nonResourceURLs": ["/healthz*"]}, ALL) == set()
    assert missing({"level": "None", "resources": [{"group": "x.org", "resources": ["secrets"]}]}, ALL) == set()
    assert missing({"level": "None", "verbs": READS, "resources": [{"resources": ["pods"]}]}, ALL) == set()


@pytest.mark.parametrize(
    "text", ["", "[]", "# secrets level: Metadata", '{"kind": "Policy", "rules": []}', "[" * 9999]
)
def test_what_is_no_policy(text):
    assert parse_policy(text) is None


def test_a_policy_that_logs_nothing():
    assert not logs_anything(policy({"level": "None"}, {"level": "metadata"}))
    assert logs_anything(POLICY)
