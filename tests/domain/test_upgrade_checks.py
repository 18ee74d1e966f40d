"""What keeps a cluster from being upgraded: each planted problem is named, with what removes it, and nothing else."""

import json

import pytest
import samples

from haplane.domain import host_paths
from haplane.domain import upgrade_checks as checks
from haplane.domain.observed import LeftOut, Node
from haplane.domain.upgrade_checks import DeprecatedApi
from haplane.domain.upgrade_flags import Written
from haplane.domain.webhooks import DryRuns
from haplane.errors import HaplaneError

NAMES = ["m1", "m2", "m3"]
OUT = {"apiserver": {"ready": False}}


def observed(**changes):
    observation = samples.converged(samples.inventory())
    for name, change in changes.items():
        observation = samples.altered(observation, name, **change)
    return observation


def hosts(observation):
    return [error.what for error in checks.host_problems(NAMES, NAMES, observation, "1.36.3")]


def test_a_master_or_member_that_does_not_serve():
    assert hosts(observed()) == []
    assert hosts(observed(m2=OUT)) == ["m2 is not healthy: its API server is not ready"]
    left_out = {"m3": LeftOut("no route", "make one")}
    assert hosts(observed().without(left_out)) == ["m3 cannot be reached"]


def test_one_on_which_an_upgrade_was_interrupted_is_completed_and_a_second_one_is_not():
    begun = {"bundle": {host_paths.staged("1.36.3", "/usr/local/bin/kubelet"): samples.SHA256}}
    assert hosts(observed(m2={**OUT, **begun})) == []
    assert len(hosts(observed(m2={**OUT, **begun}, m3={**OUT, **begun}))) == 2
    assert hosts(observed(m2={**OUT, **begun}, m3=OUT)) == ["m3 is not healthy: its API server is not ready"]


def node(name="w9", ready=True, **changes):
    fields = {"uid": "", "labels": (), "taints": (), "unschedulable": False, "kubelet_version": "", "address": ""}
    return Node.model_validate({"name": name, "ready": ready, **fields, **changes})


@pytest.mark.parametrize(
    ("kubelet", "named"),
    [("v1.34.0", False), ("v1.33.9", True), ("v1.33.9+vendor.1", True), ("v9.9.9", False), ("unknown", False)],
)
def test_a_kubelet_is_at_most_three_minor_versions_behind(kubelet, named):
    found = [error.what for error in checks.kubelet_problems([node(kubelet_version=kubelet)], "1.37.2")]
    assert found == [f"w9: kubelet {kubelet} would be too old for 1.37.2"] * named


def test_nodes_that_are_not_ready():
    found = checks.unready_nodes([node(), node("w8", ready=False, why="gone")])
    assert [(error.what, error.why) for error in found] == [("w8 is not Ready", "gone")]


@pytest.mark.parametrize(
    ("runtime", "target", "needed"),
    [
        ("containerd://1.7.24", "1.37.2", None),
        ("containerd://1.7.24~ds1", "1.38.0", "2.0"),
        ("containerd://2.0.0-rc.1", "1.38.0", None),
        ("containerd://1.5.18", "1.37.2", "1.6"),
        ("cri-o://1.29.1", "1.38.0", None),
        ("", "1.38.0", None),
    ],
)
def test_a_containerd_that_the_target_kubelet_does_not_start_with(runtime, target, needed):
    """Up to 1.37 containerd 1.7 is no more than a warning of kubeadm's."""
    found = list(checks.runtime_problems([node(runtime_version=runtime)], target))
    assert [error.why for error in found] == ([f"it needs containerd {needed} or newer"] if needed else [])


def test_the_containerd_of_a_bundle_is_compared_with_its_kubelet():
    [error] = checks.bundle_problems("1.7.24", "1.38.0")
    assert error.what == "the bundle of 1.38.0: containerd 1.7 is too old for a kubelet of 1.38.0"
    assert [*checks.bundle_problems("2.3.7", "1.38.0"), *checks.bundle_problems("", "1.38.0")] == []


NOT_TRIED = DryRuns()


def hooks(tried=NOT_TRIED, **changes):
    hook = {
        "kind": "mutatingwebhookconfiguration", "name": "guard", "webhook": "g.x", "target": "x/guard", "why": "gone",
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "operations": ["*"]}],
    }  # fmt: skip
    labels = {"kube-system": {"kubernetes.io/metadata.name": "kube-system"}}
    view = samples.workloads(samples.inventory(), webhooks=[hook | changes], namespaces=labels)
    return list(checks.webhook_problems(observed(m1={"workloads": view}).reports.values(), tried))


def test_pods_that_would_be_ended_and_not_made_again():
    refused = {"kube-system/kube-proxy": "exceeded quota: none, requested: pods=1, used: pods=9, limited: pods=0"}
    view = samples.workloads(samples.inventory(), refused=refused)
    [error] = checks.pod_problems(observed(m1={"workloads": view}).reports.values())
    assert error.what == "API servers would refuse the pods of kube-system/kube-proxy that an upgrade makes anew"
    assert error.next_step == "`kubectl --namespace=kube-system delete resourcequota none`"


def test_a_webhook_that_refuses_everything():
    [error] = hooks()
    assert error.what.startswith("mutatingwebhookconfiguration guard refuses every request for *, the cluster's own")
    assert error.next_step == "restore x/guard, or `kubectl delete mutatingwebhookconfiguration guard`"


def test_a_webhook_at_a_url_keeps_a_cluster_from_being_upgraded_too():
    [error] = hooks(target="", why="https://192.0.2.1/v does not answer: timed out")
    assert error.next_step == "restore what serves it, or `kubectl delete mutatingwebhookconfiguration guard`"


@pytest.mark.parametrize(
    ("tried", "refuses"),
    [
        (DryRuns(complete=True), None),
        (DryRuns(complete=True, refused={"g.x": "failed calling"}), "guard refuses requests for * that it selects"),
        (DryRuns(complete=True, refused={"other.x": "failed calling"}), None),
        (DryRuns(refused={"g.x": "failed calling"}), "guard refuses requests for * that it selects"),
        (NOT_TRIED, "guard may refuse requests for * that it selects"),
    ],
)
def test_of_a_webhook_with_conditions_the_api_server_decides(tried, refuses):
    found = [error.what for error in hooks(tried, conditional=True)]
    assert [refuses in what for what in found] == [True] * bool(refuses)


def test_a_webhook_of_other_objects_keeps_no_cluster_from_being_upgraded():
    of_others = {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "operations": ["CREATE"]}
    assert hooks(rules=[of_others]) == []


def test_flags_gates_and_apis_that_are_gone():
    refused = {
        Written("kubelet", "housekeeping-interval", "m1: /x"): "unknown flag: --housekeeping-interval",
        Written("kubelet", "Gone", "inv", gate=True, value="true"): "unrecognized feature gate: Gone",
    }
    found = list(checks.flag_problems(refused, "1.37.2"))
    assert [error.what for error in found] == [
        "kubelet of 1.37.2 does not accept the flag --housekeeping-interval",
        "kubelet of 1.37.2 does not accept the feature gate Gone",
    ]
    assert found[1].why == "it does not start with it: unrecognized feature gate: Gone"
    used = [
        DeprecatedApi("m1", "flowcontrol.apiserver.k8s.io", "v1beta3", "flowschemas", "1.32"),
        DeprecatedApi("m2", "flowcontrol.apiserver.k8s.io", "v1beta3", "flowschemas", "1.32"),
        DeprecatedApi("m1", "", "v1", "componentstatuses", ""),
        DeprecatedApi("m1", "x", "v1", "later", "1.39"),
    ]
    [error] = checks.api_problems(used, "1.37.2")
    assert error.what == "flowcontrol.apiserver.k8s.io/v1beta3 flowschemas is still used, and is removed in 1.32"
    assert "API server of m1, m2" in error.where
    assert "counts until its API server ends: `haplane certs renew INVENTORY` restarts each" in error.next_step


def test_a_disk_that_is_too_full_to_stage():
    reports = observed().reports
    free = reports["m1"].machine.disk_free_bytes
    assert list(checks.disk_problems({"m1": free - checks.DISK_LEFT_BYTES}, reports)) == []
    assert len(list(checks.disk_problems({"m1": free - checks.DISK_LEFT_BYTES + 1, "m2": 0}, reports))) == 1


@pytest.mark.parametrize(("free", "named"), [(None, 0), (99 << 20, 1), (100 << 20, 0)])
def test_programs_that_are_copied_to_another_file_system_need_room_there(free, named):
    """A small / beside a large /var: it was found by the switch, on the first host."""
    machine = samples.document()["machine"] | {"programs_free_bytes": free}
    reports = observed(m1={"machine": machine}).reports
    found = list(checks.room_for_programs({"m1": 100 << 20, "m2": 100 << 20}, reports))
    assert [error.what for error in found] == ["m1: too little disk to switch to the new version"] * named


def test_a_list_of_apis_is_read_as_an_api_server_writes_it():
    labels = {"group": "x.io", "version": "v1", "resource": "later", "subresource": "", "removed_release": "1.39"}
    found = checks.parse_deprecated_apis("m1", json.dumps([labels]).encode())
    assert found == [DeprecatedApi("m1", "x.io", "v1", "later", "1.39")]


@pytest.mark.parametrize(
    "answer",
    [b"", b"null", b"{}", b"[1]", b'[{"group": 1}]', b'[{"group": "\\u001b[2J"}]', b"[" + b"{}," * 200 + b"{}]"],
)
def test_a_host_that_returns_anything_else_is_named(answer):
    """It was a traceback: a host that is asked may return what it likes."""
    with pytest.raises(HaplaneError, match="m1 returned a list of deprecated APIs that cannot be read"):
        checks.parse_deprecated_apis("m1", answer)
