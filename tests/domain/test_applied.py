import pytest
import samples

from haplane.domain.applied import changes
from haplane.domain.decide import decide
from haplane.domain.plan import Kind
from haplane.domain.status import Certificates, summarise
from haplane.domain.steps.nodes import AGAIN
from haplane.observation.health import roster
from haplane.phases.converge.apply_cluster import to_restart

INVENTORY = samples.inventory(workers=1)
CONVERGED = samples.converged(INVENTORY)
MASTERS = ("m1", "m2", "m3")
CLUSTER_INFO = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
PROXY = "/api/v1/namespaces/kube-system/configmaps/kube-proxy"


def told_by(names, observation=CONVERGED, **told):
    for name in names:
        observation = samples.altered(observation, name, workloads=samples.workloads(INVENTORY, **told))
    return observation


def planned(observation):
    wants = samples.wants(INVENTORY, dict(observation.reports))
    return decide(samples.cluster_of(INVENTORY), wants, observation)


def without_node(name, observation=CONVERGED):
    for master in MASTERS:
        told = observation.reports[master].kubernetes.model_dump()
        told["nodes"] = [node for node in told["nodes"] if node["name"] != name]
        observation = samples.altered(observation, master, kubernetes=told)
    return observation


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"missing": [CLUSTER_INFO]}, "kube-public/configmaps/cluster-info deleted"),
        ({"edited": [PROXY]}, "kube-system/configmaps/kube-proxy changed by something else"),
        ({"recorded": False}, "the list of its objects is not recorded yet"),
    ],
)
def test_what_others_deleted_or_changed_is_applied_again(told, why):
    (step,) = planned(told_by(MASTERS, **told)).steps
    assert (step.kind, step.why) == (Kind.CLUSTER, why)
    assert step.items == tuple(told.get("missing", ())) + tuple(told.get("edited", ()))


def test_one_master_alone_is_not_believed():
    assert planned(told_by(("m2",), missing=[CLUSTER_INFO])).steps == ()


def test_an_api_server_that_reports_nothing_says_nothing():
    observation = told_by(("m1", "m2"), missing=[CLUSTER_INFO])
    observation = samples.altered(observation, "m3", workloads=None)
    assert changes(MASTERS, observation.reports).missing == (CLUSTER_INFO,)


def test_whoever_read_what_was_changed_starts_anew():
    flannel = "/api/v1/namespaces/kube-flannel/configmaps/flannel"
    dns = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
    assert to_restart([CLUSTER_INFO]) == []
    assert to_restart([flannel, PROXY, dns]) == ["kube-proxy", "dns", "network"]


@pytest.mark.parametrize("name", ["m3", "w1"])
def test_a_node_that_was_deleted_registers_again(name):
    plan = planned(without_node(name))
    (kubelet,) = plan.of(Kind.KUBELET)
    assert (kubelet.host, kubelet.items) == (name, ("kubelet", AGAIN))
    assert plan.hosts(Kind.MARK) == (("m3",) if name == "m3" else ())
    status = summarise(
        roster(INVENTORY),
        without_node(name),
        endpoint_answers=True,
        certificates=Certificates(None, None),
        now=samples.NOW,
    )
    [problem] = [problem for problem in status.lines if problem.startswith(f"{name}: ")]
    assert problem.startswith(
        f"{name}: its Node object is missing (the Node was deleted, and a kubelet registers only"
    )


def test_a_kubelet_that_has_just_started_is_let_register():
    observation = without_node("m3")
    units = {unit: state.model_dump() for unit, state in observation.reports["m3"].units.items()}
    units["kubelet"]["active_since"] = observation.reports["m3"].started_at - 5
    assert planned(samples.altered(observation, "m3", units=units)).of(Kind.KUBELET) == ()


def test_flags_that_are_not_the_manifests_are_a_restart_of_the_control_plane():
    told = samples.components(kube_scheduler={"differing": ["--x=1"]})
    (step,) = planned(samples.altered(CONVERGED, "m2", components=told)).steps
    assert (step.kind, step.host) == (Kind.CONTROL_PLANE, "m2")
    assert "--x=1" in step.why


JOBS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:controller:job-controller"
PROBES = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:public-info-viewer"


def test_a_role_of_kubernetes_own_is_made_by_an_api_server_that_starts():
    (step,) = planned(told_by(MASTERS, lost_roles=[JOBS])).steps
    assert (step.kind, step.host) == (Kind.CONTROL_PLANE, "m1")
    assert "clusterrolebindings/system:controller:job-controller deleted" in step.why
    assert planned(told_by(("m2",), lost_roles=[JOBS])).steps == (), "one master alone is not believed"


def test_one_api_server_that_starts_anyway_is_enough():
    observation = told_by(MASTERS, lost_roles=[JOBS])
    state = samples.components(kube_apiserver={"differing": ["--profiling=true"]})
    steps = planned(samples.altered(observation, "m3", components=state)).of(Kind.CONTROL_PLANE)
    assert [step.host for step in steps] == ["m3"]


def lines(observation):
    found = summarise(
        roster(INVENTORY), observation, endpoint_answers=True, certificates=Certificates(None, None), now=samples.NOW
    )
    return found.lines


def test_a_lost_role_is_named_with_what_comes_of_it_and_once():
    """Its controller's refusals are the same cause."""
    why = 'User "system:serviceaccount:kube-system:job-controller" cannot create resource "pods" in API group ""'
    (line,) = lines(told_by(MASTERS, lost_roles=[JOBS], hindered={"job-controller": why}))
    assert line.startswith("deleted from the cluster: clusterrolebindings/system:controller:job-controller (Jobs get")
    assert line.endswith("fix: `haplane up inventories/test.py`")
    (line,) = lines(told_by(MASTERS, lost_roles=[PROBES]))
    assert "Kubernetes' own components have their rights by it" in line


def test_without_the_record_of_what_was_applied_nothing_is_said_to_be_well():
    """Somebody deleted the ConfigMap, and then the pod network: nothing was missing of nothing."""
    (line,) = lines(told_by(MASTERS, recorded=False))
    assert line.startswith("it is unknown which objects of the cluster haplane applied, and whether any is missing")
    assert line.endswith("fix: `haplane up inventories/test.py`")
