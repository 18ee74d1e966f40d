"""Pods that run and would not be made again: what API servers say (1.36), and the one command that ends it."""

import pytest
import samples
from statuses import status_of

from haplane.domain.cluster_health import Workloads
from haplane.domain.refusals import irreplaceable, is_only_full, remedy

INVENTORY = samples.inventory(workers=1)
PROXY, DNS = "kube-system/kube-proxy", "kube-system/coredns"
NO_PODS = "exceeded quota: none, requested: pods=1, used: pods=9, limited: pods=0"

RESTORED = (
    "on a master: `cd /etc/kubernetes; mv manifests/kube-apiserver.yaml .; sleep 20; mv kube-apiserver.yaml "
    "manifests/`: an API server restores these rights when it starts"
)


def problems(kubernetes=None, **changes):
    observation = samples.converged(INVENTORY)
    for name in ("m1", "m2", "m3"):
        seen = observation.reports[name].kubernetes.model_dump() | (kubernetes or {})
        told = {"workloads": samples.workloads(INVENTORY, **changes), "kubernetes": seen}
        observation = samples.altered(observation, name, **told)
    return status_of(INVENTORY, observation).lines


def test_a_quota_without_room_is_named_once_before_it_costs_a_pod():
    """A quota of 0 pods in kube-system: healthy, until the first node restarted."""
    assert problems(refused={PROXY: NO_PODS, DNS: NO_PODS}) == (
        "kube-system/kube-proxy, kube-system/coredns: API servers would refuse pods that replace those that run "
        f"({NO_PODS}); fix: `kubectl --namespace=kube-system delete resourcequota none`",
    )


def test_pods_that_are_missing_already_are_named_with_the_cause_and_not_again():
    sets = [{"name": PROXY, "desired": 4, "ready": 3, "warning": f"FailedCreate: Error creating: {NO_PODS}"}]
    (found,) = problems(daemon_sets=sets, refused={PROXY: NO_PODS, DNS: NO_PODS})
    assert found.startswith("kube-system/kube-proxy: no pod on m1, m2, m3 and 1 more (FailedCreate")


def test_coredns_that_lacks_a_pod_is_named_with_the_cause_and_not_again():
    why = f'FailedCreate: pods "coredns-x7k2p" is forbidden: {NO_PODS}'
    (found,) = problems(kubernetes={"coredns_ready": 1, "coredns_why": why}, refused={DNS: NO_PODS})
    assert found.startswith(f"only 1 CoreDNS pod is ready: without it pods cannot resolve names ({why})")
    assert found.endswith("fix: `kubectl --namespace=kube-system delete resourcequota none`")


def test_coredns_that_was_refused_for_a_quota_that_is_gone_is_not_told_to_delete_it_again():
    """Its controller waited for minutes, and the command that had been given was the one that had been run."""
    why = f'FailedCreate: pods "coredns-x7k2p" is forbidden: {NO_PODS}'
    (found,) = problems(kubernetes={"coredns_ready": 0, "coredns_why": why})
    assert found.endswith("fix: `kubectl --namespace=kube-system rollout restart deployment coredns`")


OF_A_LIMIT = (
    'spec.containers[0].resources.requests: Invalid value: "50Mi": must be less than or equal to memory limit of 1Mi'
)


def test_a_limit_range_is_named_once_with_what_it_keeps_from_starting():
    """1 MiB for each container of kube-flannel: three lines with three commands, none of which ended it."""
    flannel = "kube-flannel/flannel"
    sets = [{"name": flannel, "desired": 4, "ready": 0, "warning": f"FailedCreate: Error creating: {OF_A_LIMIT}"}]
    (found,) = problems(daemon_sets=sets, refused={flannel: OF_A_LIMIT})
    assert found.startswith(f"{flannel}: no pod on")
    assert found.endswith(
        "fix: see `kubectl --namespace=kube-flannel get limitranges`, and delete the one that refuses"
    )


NO_RIGHT = 'services is forbidden: User "system:serviceaccount:kube-system:{}" cannot list resource "services"'
PROXIER = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kubeadm:node-proxier"


def test_components_that_run_and_may_not_do_what_they_are_for():
    """The ClusterRole system:node-proxier was deleted: every pod ran, and new Services led nowhere."""
    (found,) = problems(hindered={"kube-proxy": NO_RIGHT.format("kube-proxy")})
    assert found.startswith("kube-proxy does not see Services and endpoints that change: nodes send to old ones (")
    assert found.endswith(f"fix: {RESTORED}")
    (found,) = problems(hindered={"service-account-controller": NO_RIGHT.format("service-account-controller")})
    assert found.startswith("new namespaces get no service account, so they get no pods (")
    assert "an API server restores these rights when it starts" in found
    (found,) = problems(hindered={"endpointslice-controller": NO_RIGHT.format("endpointslice-controller")})
    assert found.startswith("endpoints are not written any more: Services keep those that they have (")


def test_a_binding_of_kube_proxys_that_is_gone_is_one_problem():
    (found,) = problems(hindered={"kube-proxy": NO_RIGHT.format("kube-proxy")}, missing=[PROXIER])
    assert found.startswith("deleted from the cluster: clusterrolebindings/kubeadm:node-proxier")


@pytest.mark.parametrize(
    ("used", "limited", "full"),
    [
        ("pods=9", "pods=9", True),
        ("pods=9", "pods=0", False),
        ("limits.cpu=500m,pods=3", "limits.cpu=1,pods=3", True),
        ("limits.memory=1Gi", "limits.memory=900Mi", False),
        ("pods=9", "pods=many", False),
        ("pods=9", "secrets=9", False),
    ],
)
def test_a_quota_that_is_full_has_room_for_a_pod_in_another_ones_place(used, limited, full):
    refusal = f"exceeded quota: q, requested: pods=1, used: {used}, limited: {limited}"
    assert is_only_full(refusal) is full
    view = Workloads.model_validate({"refused": {PROXY: refusal}})
    assert (irreplaceable(view) == {}) is full


def test_what_a_webhook_refuses_that_does_not_answer_is_named_with_that_webhook():
    hook = {"kind": "validatingwebhookconfiguration", "name": "guard", "webhook": "g.x", "why": "no answer"}
    (found,) = problems(webhooks=[hook], refused={PROXY: 'failed calling webhook "g.x": no answer'})
    assert found.startswith("validatingwebhookconfiguration guard refuses")


@pytest.mark.parametrize(
    ("refusal", "command"),
    [
        ("failed quota: q: must specify limits.cpu for: c", "`kubectl --namespace=x delete resourcequota q`"),
        (
            "ValidatingAdmissionPolicy 'deny' with binding 'all' denied request: failed expression: false",
            "`kubectl delete validatingadmissionpolicybinding all`",
        ),
        (
            "ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: failed to find resource",
            "`kubectl delete validatingadmissionpolicy p`",
        ),
        (
            "policy 'mut' with binding 'all' denied request: expression 'x' resulted in error: no such key: hostname",
            "`kubectl delete mutatingadmissionpolicybinding all`",
        ),
        (
            'admission webhook "g.x" denied the request: no',
            "exempt x from the webhook g.x: `kubectl get validatingwebhookconfigurations,"
            "mutatingwebhookconfigurations --output=yaml` shows its rules",
        ),
        (
            'pods is forbidden: User "system:serviceaccount:kube-system:daemon-set-controller" cannot create',
            RESTORED,
        ),
        ("maximum cpu usage per Container is 0", "see `kubectl --namespace=x get limitranges`, and delete the one"),
        (
            'violates PodSecurity "restricted:latest"',
            "`kubectl label namespace x pod-security.kubernetes.io/enforce-`",
        ),
        ("something else", None),
    ],
)
def test_each_refusal_has_one_command(refusal, command):
    found = remedy("x", refusal)
    assert found.startswith(command) if command else found is None
