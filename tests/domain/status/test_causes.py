"""A node that is not Ready and an API server that is not: each with the most precise cause, and what ends it."""

import pytest
import samples
from statuses import status_of

from haplane.domain import host_paths
from haplane.domain.observed import LeftOut

INVENTORY = samples.inventory(workers=1)
CONVERGED = samples.converged(INVENTORY)
MASTERS = ("m1", "m2", "m3")
UP = "`haplane up inventories/test.py`"


def not_ready(name, message="", observation=CONVERGED, **report):
    for master in MASTERS:
        told = observation.reports[master].kubernetes.model_dump()
        told["nodes"] = [
            node | ({"ready": False, "why": message} if node["name"] == name else {}) for node in told["nodes"]
        ]
        observation = samples.altered(observation, master, kubernetes=told)
    return line(samples.altered(observation, name, **report) if report else observation, "ot Ready")


def line(observation, words):
    (found,) = (one for one in status_of(INVENTORY, observation).lines if words in one)
    return found


@pytest.mark.parametrize(
    ("message", "fix"),
    [
        ("[container runtime is down, PLEG is not healthy: pleg was last seen active 3m ago]", "restart containerd`"),
        ("container runtime network not ready: NetworkReady=false message:cni plugin not initialized", UP),
        ("Kubelet stopped posting node status.", "on w1: `journalctl -u kubelet -n 50`"),
    ],
)
def test_a_nodes_own_message_is_the_cause(message, fix):
    found = not_ready("w1", message)
    assert found.startswith(f"worker w1: not Ready ({message}); fix: ")
    assert found.endswith(fix)


def test_a_configuration_in_the_place_of_flannels_is_the_cause():
    cni = {"cni": ["05-other.conflist", "10-flannel.conflist"]}
    message = "container runtime network not ready: NetworkReady=false message:cni plugin not initialized"
    found = not_ready("w1", message, precedence=cni)
    assert found.endswith("fix: on w1: `mv /etc/cni/net.d/05-other.conflist /root/`")


SILENT = "Kubelet stopped posting node status."


def test_where_the_kubelet_reports_nothing_its_host_does():
    units = {name: one.model_dump() for name, one in CONVERGED.reports["w1"].units.items()}
    units["kubelet"] |= {"active": False}
    assert f"(its kubelet is not running); fix: {UP}" in not_ready("w1", SILENT, units=units)
    lost = {"unserved": "https://10.0.0.10:6443: timed out"}
    servers = {host_paths.KUBELET_KUBECONFIG: "https://10.0.0.10:6443"}
    found = not_ready("w1", SILENT, kubelet=lost, servers=servers)
    assert "(its kubelet does not reach the API server: https://10.0.0.10:6443: timed out)" in found
    assert "fix: on w1: `curl -vk https://10.0.0.10:6443/readyz`" in found
    hung = {"unhealthy": "/healthz: timed out", "last_error": ""}
    assert "/healthz: timed out); fix: on m2: `systemctl restart kubelet`" in not_ready("m2", SILENT, kubelet=hung)


def test_what_stops_a_node_is_named_with_the_same_command_each_time():
    """Two lines for one stopped process had two commands, of which one did nothing."""
    for program in ("kubelet", "containerd"):
        stopped = {"stopped": [{"program": program, "process": 4711}]}
        found = not_ready("w1", "PLEG is not healthy", condition=stopped, images=None)
        assert found.endswith(f"(its {program} is stopped); fix: on w1: `kill -CONT 4711`")
        observation = samples.altered(CONVERGED, "w1", condition=stopped, images=None)
        assert sum("containerd" in one for one in status_of(INVENTORY, observation).lines) == 1
    servers = {host_paths.KUBELET_KUBECONFIG: "https://10.0.0.22:6443"}
    stopped = {"stopped": [{"program": "kube-apiserver", "process": 4711}]}
    found = not_ready("m2", SILENT, apiserver={"ready": False}, condition=stopped, servers=servers)
    assert found.endswith(
        "(the API server there, which its kubelet connects to, is not ready); fix: on m2: `kill -CONT 4711`"
    )


def test_a_host_that_was_left_out_is_neither_off_nor_lost():
    left = {"m2": LeftOut("its clock is off", "start chrony on m2")}
    found = "\n".join(status_of(INVENTORY, CONVERGED.without(left)).lines)
    assert (
        "etcd member m2: not healthy (left out: its clock is off); fix: start chrony on m2; then `haplane " in found
    )
    assert "power m2 on" not in found


def test_a_containerd_that_hangs_is_named_while_its_node_is_still_ready():
    found = line(samples.altered(CONVERGED, "w1", images=None), "containerd")
    assert found.startswith("w1: containerd is not responding (its unit is active, but it lists no images")
    assert found.endswith("fix: on w1: `systemctl restart containerd`")
    late = {"images": "ctr did not end within 5 s"}
    assert line(samples.altered(CONVERGED, "w1", images=None, failed=late), "w1: ") == found


@pytest.mark.parametrize(
    ("apiserver", "cause"),
    [
        ({"why": "/readyz: etcd, poststarthook/rbac/bootstrap-roles fail"}, "/readyz: etcd, poststart"),
        ({"why": "/readyz: refused", "last_error": "Error: unknown flag: --foo"}, "Error: unknown flag: --foo"),
    ],
)
def test_an_api_server_that_is_not_ready_says_why_and_where_its_log_is(apiserver, cause):
    found = line(samples.altered(CONVERGED, "m2", apiserver={"ready": False} | apiserver), "API server is not")
    assert found.startswith(f"m2: its API server is not ready ({cause}")
    assert "fix: on m2: `tail -n 20 /var/log/pods/kube-system_kube-apiserver-m2_*/kube-apiserver/*.log`" in found


def test_one_whose_member_is_stopped_is_not_sent_to_its_log():
    units = CONVERGED.reports["m2"].model_dump()["units"]
    down = {"etcd": units["etcd"] | {"active": False}}
    observation = samples.altered(CONVERGED, "m2", apiserver={"ready": False, "why": "timed out"}, units=units | down)
    found = line(observation, "API server is not")
    assert found == f"m2: its API server is not ready (the etcd member beside it is not running); fix: {UP}"


def test_one_whose_manifest_was_edited_is_ups():
    """Its log says nothing where its image cannot be pulled."""
    made = {host_paths.APISERVER_MANIFEST: "e" * 64}
    apiserver = {"ready": False, "why": "/readyz: refused"}
    found = line(samples.altered(CONVERGED, "m2", apiserver=apiserver, made=made), "API server is not")
    assert found == f"m2: its API server is not ready (/readyz: refused); fix: {UP}"


def test_one_beside_another_that_a_file_defines_is_the_kubelets_choice():
    """A copy of a manifest in that directory is run as well, and neither has to be there."""
    copy = f"{host_paths.APISERVER_MANIFEST}.bak"
    components = CONVERGED.reports["m2"].components.model_dump() | {"conflicts": {copy: "kube-apiserver"}}
    broken = samples.altered(CONVERGED, "m2", apiserver={"ready": False, "why": "refused"}, components=components)
    found = line(broken, "API server is not")
    assert found.endswith(f"the kubelet runs one of the two); fix: on m2: `mv {copy} /root/`")


def test_what_has_no_log_is_not_sent_to_one():
    found = line(samples.altered(CONVERGED, "m2", apiserver={"ready": False, "why": "refused"}), "API server is not")
    assert "`journalctl -u kubelet" in found


def test_one_that_is_stopped_goes_on_by_a_signal():
    stopped = {"stopped": [{"program": "kube-apiserver", "process": 4711}]}
    found = line(samples.altered(CONVERGED, "m2", apiserver={"ready": False}, condition=stopped), "API server is not")
    assert found == "m2: its API server is not ready (its process 4711 is stopped); fix: on m2: `kill -CONT 4711`"


def test_one_that_gave_up_while_etcd_was_away_is_not_sent_to_its_log():
    """Its member had served again for minutes, and what its log said was over."""
    gave_up = {
        "ready": False,
        "why": "connection refused",
        "last_error": "creating storage factory: context deadline",
    }
    found = line(samples.altered(CONVERGED, "m2", apiserver=gave_up), "API server is not")
    assert found.endswith("fix: on m2: `systemctl restart kubelet`")
    away = CONVERGED.reports["m2"].etcd.model_dump(by_alias=True) | {"reads_through_quorum": False}
    found = line(samples.altered(CONVERGED, "m2", apiserver=gave_up, etcd=away), "API server is not")
    assert "`tail -n 20 /var/log/pods/" in found


def test_one_whose_manifest_is_gone_is_ups():
    files = CONVERGED.reports["m2"].model_dump()["files"]
    del files[host_paths.APISERVER_MANIFEST]
    found = line(samples.altered(CONVERGED, "m2", apiserver={"ready": False}, files=files), "API server is not")
    assert found == f"m2: its API server is not ready ({host_paths.APISERVER_MANIFEST} is missing); fix: {UP}"


def test_what_hangs_is_restarted_and_what_is_stopped_is_started():
    balancer = CONVERGED.reports["lb2"].balancer.model_dump() | {"servers": None}
    hung = samples.altered(CONVERGED, "lb2", balancer=balancer)
    assert line(hung, "haproxy is not").endswith("fix: on lb2: `systemctl restart haproxy`")
    units = {name: one.model_dump() for name, one in CONVERGED.reports["lb2"].units.items()}
    units["haproxy"] |= {"active": False}
    assert line(samples.altered(hung, "lb2", units=units), "haproxy is not resp").endswith(f"fix: {UP}")


def test_a_kubelet_that_masters_cannot_reach_is_named_though_its_node_is_ready():
    observation = CONVERGED
    for master in MASTERS[:2]:
        told = observation.reports[master].kubernetes.model_dump()
        told["nodes"] = [node | {"closed": node["name"] == "w1"} for node in told["nodes"]]
        observation = samples.altered(observation, master, kubernetes=told)
    assert line(observation, "w1").startswith(
        "w1: API servers cannot reach its kubelet: logs and exec of its pods fail"
    )


def test_an_api_server_that_refuses_health_checks_is_not_called_dead():
    """Somebody deleted system:public-info-viewer: haproxy, without credentials, took every API server for down."""
    refusing = {"ready": False, "why": "/readyz: HTTP 403"}
    found = line(samples.altered(CONVERGED, "m1", apiserver=refusing), "m1: its API server")
    assert "m1: its API server refuses health checks" in found
    assert "system:public-info-viewer" in found
    assert "on m1: `cd /etc/kubernetes; mv manifests/kube-apiserver.yaml" in found
    gone = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:public-info-viewer"
    lost = samples.workloads(INVENTORY, lost_roles=[gone])
    found = line(samples.altered(CONVERGED, "m1", apiserver=refusing, workloads=lost), "m1: its API server")
    assert found.endswith(f"fix: {UP}")
    refusing["why"] = "/readyz: HTTP 401"
    found = line(samples.altered(CONVERGED, "m1", apiserver=refusing), "m1: its API server")
    assert "anonymous requests are disabled" in found
    assert found.endswith(f"fix: {UP}")


def test_a_kubelet_that_is_not_accepted_gets_credentials_and_no_look_at_its_log():
    seen = {"unserved": "https://10.0.0.10:6443: HTTP 401"}
    found = not_ready("w1", SILENT, kubelet=seen)
    assert f"do not accept each other: https://10.0.0.10:6443: HTTP 401); fix: {UP}" in found
    found = line(samples.altered(CONVERGED, "w1", kubelet=seen), "w1: its kubelet")
    assert found.startswith("w1: its kubelet and the API server would not accept each other again (https://10.0.0.10")


def test_what_refuses_kubelets_is_why_their_nodes_are_not_ready():
    why = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"
    observation = CONVERGED
    for name in MASTERS:
        hindered = {"kubelet/leases": why, "leader/kube-scheduler": why}
        idle = {"kube-scheduler": {"holder": "m1_1", "age_seconds": 500.0}}
        told = samples.workloads(INVENTORY, hindered=hindered, leases=idle)
        observation = samples.altered(observation, name, workloads=told)
    found = not_ready("w1", SILENT, observation)
    assert why in found
    assert found.endswith("fix: `kubectl delete validatingadmissionpolicybinding b`")
    assert "kubelets may not renew their leases" in line(observation, "kubelets may not")
    assert "no kube-scheduler may renew" in line(observation, "kube-scheduler")
