"""What status makes of everything without which pods do not run: each problem with its cause and one command."""

from dataclasses import replace

import pytest
import samples
from pydantic import ValidationError
from statuses import status_of

from haplane.domain import host_paths
from haplane.domain.decide import decide
from haplane.domain.observed import Observation
from haplane.domain.plan import Kind
from haplane.domain.status import Certificates, summarise
from haplane.domain.steps.host import changed_files
from haplane.domain.steps.nodes import WORKER_EVIDENCE, control_plane_steps
from haplane.observation.health import roster

MASTERS = ("m1", "m2", "m3")
INVENTORY = samples.inventory(workers=1)
OURS = roster(INVENTORY)
CONVERGED = samples.converged(INVENTORY)


def problems(observation: Observation) -> tuple[str, ...]:
    certificates = Certificates(None, None)
    return summarise(OURS, observation, endpoint_answers=True, certificates=certificates, now=samples.NOW).lines


def with_components(hosts=MASTERS, conflicts=None, **changes):
    observation = CONVERGED
    for name in hosts:
        told = samples.components(**changes) | {"conflicts": conflicts or {}}
        observation = samples.altered(observation, name, components=told)
    return observation


def with_workloads(**changes):
    observation = CONVERGED
    for name in MASTERS:
        observation = samples.altered(observation, name, workloads=samples.workloads(INVENTORY, **changes))
    return observation


def flannel(ready=3, warning=None, pods=(("m1", True), ("m3", True), ("w1", True))):
    told = [
        {"name": f"flannel-{node}", "node": node, "ready": ready, "reason": "PodInitializing", "message": "no image"}
        for node, ready in pods
    ]
    return [{"name": "kube-flannel/flannel", "desired": 4, "ready": ready, "pods": told, "warning": warning}]


HOOK = {
    "kind": "validatingwebhookconfiguration", "name": "bugs-policy", "webhook": "pods.policy.example.org",
    "target": "policy/policy", "why": "its service policy/policy has no endpoints",
    "rules": [{"resources": ["pods"]}],
}  # fmt: skip
REFUSED = 'FailedCreate: Error creating: failed calling webhook "pods.policy.example.org": no endpoints'


def test_a_webhook_that_keeps_a_pod_from_being_made_is_named_once_with_the_node_that_lacks_it():
    (found,) = problems(with_workloads(daemon_sets=flannel(warning=REFUSED), webhooks=[HOOK]))
    assert found.startswith("kube-flannel/flannel: no pod on m2 (FailedCreate")
    assert found.endswith(
        "fix: restore policy/policy, or `kubectl delete validatingwebhookconfiguration bugs-policy`"
    )


def test_a_webhook_without_endpoints_is_named_before_it_costs_a_pod():
    (found,) = problems(with_workloads(webhooks=[HOOK, HOOK | {"webhook": "two.example.org"}]))
    assert found.startswith("validatingwebhookconfiguration bugs-policy refuses every request for pods")


def test_a_webhook_at_a_url_that_does_not_answer():
    why = "https://192.0.2.1/v does not answer: timed out"
    assert problems(with_workloads(webhooks=[HOOK | {"target": "", "why": why}])) == (
        "validatingwebhookconfiguration bugs-policy refuses every request for pods (https://192.0.2.1/v does not "
        "answer: timed out); "
        "fix: restore what serves it, or `kubectl delete validatingwebhookconfiguration bugs-policy`",
    )


def test_a_webhook_of_which_one_endpoint_answers_is_said_to_refuse_a_part():
    why = "10.244.1.7:8443 of its service policy/policy does not answer: timed out"
    (found,) = problems(with_workloads(webhooks=[HOOK | {"why": why, "partly": True}]))
    assert found.startswith(
        f"validatingwebhookconfiguration bugs-policy refuses part of the requests for pods ({why})"
    )


def test_a_webhook_of_some_namespaces_is_not_said_to_refuse_everything():
    one = HOOK | {"namespaces": {"matchLabels": {"team": "a"}}}
    (found,) = problems(with_workloads(webhooks=[one]))
    assert found.startswith("validatingwebhookconfiguration bugs-policy refuses requests for pods that it selects (")


def test_a_pod_that_does_not_come_up_says_why():
    pods = (("m1", True), ("m2", False), ("m3", True), ("w1", True))
    (found,) = problems(with_workloads(daemon_sets=flannel(pods=pods)))
    assert found == (
        "kube-flannel/flannel: its pod on m2 is not ready (flannel-m2: PodInitializing, no image); "
        "fix: `kubectl --namespace=kube-flannel describe pod flannel-m2` shows why"
    )


def test_a_pod_on_a_node_that_is_not_ready_is_no_second_problem():
    observation = with_workloads(daemon_sets=flannel(pods=(("m1", True), ("m2", False), ("m3", True), ("w1", True))))
    for name in MASTERS:
        told = observation.reports[name].kubernetes.model_dump()
        told["nodes"] = [node | {"ready": node["name"] != "m2"} for node in told["nodes"]]
        observation = samples.altered(observation, name, kubernetes=told)
    (found,) = problems(observation)
    assert found == "m2: node not Ready; fix: on m2: `journalctl -u kubelet -n 50`"


def test_one_master_cannot_hide_what_another_one_reports():
    observation = samples.altered(CONVERGED, "m3", workloads=samples.workloads(INVENTORY, webhooks=[HOOK]))
    assert len(problems(observation)) == 1


def test_one_master_that_reports_much_hides_nothing_that_the_others_see():
    """m1 and m2 report kube-proxy 1/4, CoreDNS deleted and a dead webhook; m3 added hindered accounts: healthy."""
    told = samples.workloads(
        INVENTORY,
        daemon_sets=[{"name": "kube-system/kube-proxy", "desired": 4, "ready": 1}],
        missing=["/apis/apps/v1/namespaces/kube-system/deployments/coredns"],
        webhooks=[HOOK],
    )
    honest = CONVERGED
    for name in ("m1", "m2"):
        honest = samples.altered(honest, name, workloads=told)
    assert len(problems(honest)) == 3
    much = {f"a{number}": "may not" for number in range(50)}
    full = {
        f"x/a{number}": "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1" for number in range(9)
    }
    for lie in ({"hindered": much}, {"refused": full}, {"leases": {f"x{n}": {"holder": "", "age_seconds": 1}
                for n in range(50)}}):  # fmt: skip
        assert problems(samples.altered(honest, "m3", workloads=samples.workloads(INVENTORY, **lie))) == problems(
            honest
        )


@pytest.mark.parametrize("kind", ["namespace", "nodes", "validatingwebhookconfigurations"])
def test_no_command_deletes_another_kind_of_object_than_a_webhook(kind):
    """`kubectl delete namespace kube-system` was the next step."""
    with pytest.raises(ValidationError):
        with_workloads(webhooks=[HOOK | {"kind": kind, "name": "kube-system"}])


def test_masters_that_count_differently_report_one_problem():
    observation = CONVERGED
    for name, ready in (("m1", 1), ("m2", 2), ("m3", 2)):
        pods = [(f"m{number}", True) for number in range(1, ready + 1)]
        told = [flannel(ready=ready, pods=pods)[0] | {"desired": 7}]
        observation = samples.altered(observation, name, workloads=samples.workloads(INVENTORY, daemon_sets=told))
    (found,) = problems(observation)
    assert found.startswith("kube-flannel/flannel: 2 pods; there should be one on each of 7 nodes")


def test_a_worker_is_not_asked_about_the_cluster():
    told = samples.workloads(INVENTORY, webhooks=[HOOK])
    assert problems(samples.altered(CONVERGED, "w1", workloads=told)) == ()


def test_what_no_api_server_reports_is_unknown_and_not_fine():
    observation = CONVERGED
    for name in MASTERS:
        observation = samples.altered(observation, name, workloads=None)
    (found,) = problems(observation)
    assert "unknown" in found


def test_an_object_that_finalizers_hold_is_named_with_what_shows_them():
    """kube-proxy's DaemonSet was deleted and stayed by a finalizer: no controller made pods for it any more."""
    path = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy"
    assert problems(with_workloads(held=(path,))) == (
        "deleted from the cluster, and held by finalizers: kube-system/daemonsets/kube-proxy (nothing maintains it "
        f"any more); fix: `kubectl get --raw {path}` shows them; remove those, then `haplane up inventories/test.py`",
    )


def test_objects_that_were_deleted_or_edited_are_named():
    missing = ("/api/v1/namespaces/kube-public/configmaps/cluster-info", "/api/v1/namespaces/kube-flannel")
    edited = ("/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy",)
    assert problems(with_workloads(missing=missing, edited=edited)) == (
        "deleted from the cluster: kube-public/configmaps/cluster-info, namespaces/kube-flannel;"
        " fix: `haplane up inventories/test.py`",
        "changed by hand in the cluster: kube-system/daemonsets/kube-proxy; fix: `haplane up inventories/test.py`",
    )


def test_one_wrong_server_in_six_kubeconfigs_is_one_line():
    lost = {"unserved": "https://192.0.2.1:6443: timed out", "unhealthy": "refused"}
    leases = {name: {"holder": "", "age_seconds": None} for name in ("kube-scheduler", "kube-controller-manager")}
    observation = with_components(kube_scheduler=lost, kube_controller_manager=lost)
    for name in MASTERS:
        told = samples.workloads(INVENTORY, leases=leases)
        observation = samples.altered(observation, name, workloads=told)
    assert problems(observation) == (
        "m1, m2, m3: kube-controller-manager and kube-scheduler cannot use the API server"
        " (https://192.0.2.1:6443: timed out); fix: `haplane up inventories/test.py`",
    )


def test_a_component_cut_off_on_one_master_is_named_while_another_leads():
    (found,) = problems(with_components(("m2",), kube_scheduler={"unserved": "https://10.0.0.22:6443: HTTP 401"}))
    assert found.startswith("m2: kube-scheduler cannot use the API server (https://10.0.0.22:6443: HTTP 401)")


@pytest.mark.parametrize(
    ("why", "fix"),
    [
        ("https://10.0.0.22:6443: HTTP 403", "`haplane up inventories/test.py`"),
        (
            "https://10.0.0.22:6443: HTTP 429",
            "`kubectl get flowschemas,prioritylevelconfigurations` shows what rejects it, unless it passes",
        ),
        ("https://192.0.2.1:6443: timed out", "`haplane up inventories/test.py`"),
        ("/etc/kubernetes/scheduler.conf is missing", "`haplane up inventories/test.py`"),
        ("-K/tmp/x//10.0.0.22:6443: timed out", "`haplane up inventories/test.py`"),
        ("https://evil/-K//10.0.0.22:6443: timed out", "`haplane up inventories/test.py`"),
        (
            "https://10.0.0.22:6443: timed out",
            "see what drops packets there: `curl -k -- https://10.0.0.22:6443/readyz`",
        ),
    ],
)
def test_the_command_is_the_one_that_helps(why, fix):
    (found,) = problems(with_components(("m2",), kube_scheduler={"unserved": why}))
    assert found.endswith(f"fix: {fix}")


def test_a_component_beside_an_api_server_that_is_down_is_no_second_problem():
    observation = with_components(("m2",), kube_scheduler={"unserved": "https://10.0.0.22:6443: refused"})
    observation = samples.altered(observation, "m2", apiserver={"ready": False})
    (found,) = problems(observation)
    assert found.startswith("m2: its API server is not ready")


def test_a_component_that_crashes_says_what_its_pod_says():
    pod = {
        "name": "kube-scheduler-m2", "node": "m2", "component": "kube-scheduler", "ready": False,
        "reason": "CrashLoopBackOff", "message": "back-off 40s",
    }  # fmt: skip
    observation = with_components(("m2",), kube_scheduler={"unhealthy": "connection refused"})
    for name in MASTERS:
        observation = samples.altered(observation, name, workloads=samples.workloads(INVENTORY, pods=[pod]))
    (found,) = problems(observation)
    assert found.startswith("m2: kube-scheduler is not healthy (CrashLoopBackOff: back-off 40s); fix: ")


def test_a_component_without_a_manifest_is_up_s_to_repair():
    gone = {"unhealthy": "/etc/kubernetes/manifests/kube-scheduler.yaml is missing"}
    assert problems(with_components(("m2",), kube_scheduler=gone)) == (
        "m2: kube-scheduler is not healthy (/etc/kubernetes/manifests/kube-scheduler.yaml is missing);"
        " fix: `haplane up inventories/test.py`",
    )


@pytest.mark.parametrize(
    ("lease", "words"),
    [
        (
            {"holder": "", "age_seconds": None},
            "no kube-scheduler leads: new pods are not scheduled; fix: `haplane up",
        ),
        ({"holder": "m1_1", "age_seconds": 95.0}, "m1_1 has not renewed its lease for 95 s"),
        ({"holder": "m1_1", "age_seconds": 20.0}, None),
    ],
)
def test_a_component_that_nobody_leads_is_a_problem(lease, words):
    found = problems(with_workloads(leases={"kube-scheduler": lease}))
    assert [words in one for one in found] == ([True] if words else [])


def with_certificate_of(component, path, changed_at, **state):
    files = CONVERGED.reports["m2"].model_dump()["files"]
    files[path] = {"sha256": samples.SHA256, "mode": 0o600, "user_id": 0, "changed_at": changed_at}
    files[host_paths.APISERVER_MANIFEST] |= {"changed_at": 500}
    told = samples.components(**{component.replace("-", "_"): state})
    return samples.altered(CONVERGED, "m2", files=files, components=told)


@pytest.mark.parametrize(
    ("component", "path"),
    [
        ("kube-scheduler", host_paths.SCHEDULER_KUBECONFIG),
        ("kube-controller-manager", host_paths.CONTROLLER_MANAGER_KUBECONFIG),
        ("kube-apiserver", host_paths.APISERVER_ETCD_CLIENT_CRT),
    ],
)
@pytest.mark.parametrize(
    ("changed_at", "started_at", "unread"),
    [(2000, 1000, True), (1000, 2000, False), (1000, 0, True), (400, 0, False), (400, 300, True)],
)
def test_a_certificate_that_the_process_has_not_read_is_a_problem_and_up_restarts_it(
    component, path, changed_at, started_at, unread
):
    """`kubeadm certs renew` by hand: the file is good for a year, and the process ends with the old one."""
    observation = with_certificate_of(component, path, changed_at, started_at=started_at)
    problem = (
        f"m2: {component} runs with an older certificate than the file has ({path} changed after it started);"
        " fix: `haplane up inventories/test.py`"
    )
    assert problems(observation) == ((problem,) if unread else ())
    wants = samples.wants(INVENTORY, dict(observation.reports))["m2"]
    steps = control_plane_steps("m2", wants, observation.reports["m2"])
    whys = [step.why for step in steps if step is not None]
    assert whys == (["its certificates are newer than it"] if unread else [])


@pytest.mark.parametrize(
    ("changed_at", "started_at", "older"), [(2000, 1000, True), (1000, 2000, False), (9, 0, False)]
)
def test_an_api_server_with_older_encryption_keys_is_a_problem_and_up_restarts_it(changed_at, started_at, older):
    """Somebody replaced the file on every master, and restarted some of them: what those write, it cannot read."""
    path = host_paths.ENCRYPTION_YAML
    observation = with_certificate_of("kube-apiserver", path, changed_at, started_at=started_at)
    problem = (
        f"m2: kube-apiserver runs with older encryption keys than {path} (the file changed after it started: other "
        "API servers may write what it cannot read); fix: `haplane up inventories/test.py`"
    )
    assert problems(observation) == ((problem,) if older else ())
    wants = samples.wants(INVENTORY, dict(observation.reports))["m2"]
    whys = [step.why for step in control_plane_steps("m2", wants, observation.reports["m2"]) if step is not None]
    assert whys == (["its encryption keys are newer than it"] if older else [])
    rewritten = replace(wants, keys={path: "its mode was 0644"})
    whys = [step.why for step in control_plane_steps("m2", rewritten, CONVERGED.reports["m2"]) if step is not None]
    assert whys == ["its encryption keys are written anew"]


@pytest.mark.parametrize(
    ("started_at", "fix"), [(1000, "fix: `haplane up"), (3000, "fix: add the key that wrote it to /etc/kubernetes/")]
)
def test_a_secret_that_an_api_server_cannot_decrypt_is_named_with_its_words(started_at, fix):
    why = 'unable to transform key "/registry/secrets/x/y": no matching prefix found'
    observation = with_certificate_of("kube-apiserver", host_paths.ENCRYPTION_YAML, 2000, started_at=started_at)
    observation = samples.altered(observation, "m2", apiserver={"ready": True, "undecodable": why})
    (found,) = problems(observation)
    assert found.startswith(f"m2: its API server cannot read every Secret that is in etcd ({why}); {fix}")


@pytest.mark.parametrize("component", ["kube-scheduler", "kube-apiserver"])
@pytest.mark.parametrize(
    ("ended", "started_at", "started_anew"), [(True, 0, True), (True, 9, False), (False, 0, False)]
)
def test_a_static_pod_that_its_kubelet_gave_up_is_started_anew(component, ended, started_at, started_anew):
    """A kubelet that has no room for it rejects it, and never looks at that manifest again."""
    pod = {
        "name": f"{component}-m2", "node": "m2", "component": component, "ready": False, "ended": ended,
        "reason": "OutOfpods", "message": "Node didn't have enough resource: pods",
    }  # fmt: skip
    broken = {"unhealthy": "connection refused", "started_at": started_at}
    told = {"components": samples.components(**{component.replace("-", "_"): broken})}
    if component == "kube-apiserver":
        told |= {"apiserver": {"ready": False}, "workloads": None}
    observation = samples.altered(with_workloads(pods=[pod]), "m2", **told)
    found = [line for line in problems(observation) if component in line or "API server is not ready" in line]
    gave_up = ended and not started_at
    assert any(line.endswith("fix: `haplane up inventories/test.py`") for line in found) is gave_up, found
    why = f"{component} has ended, and the kubelet does not start it again"
    plan = decide(samples.cluster_of(INVENTORY), samples.wants(INVENTORY, dict(observation.reports)), observation)
    assert [(step.host, step.kind) for step in plan.steps if step.why == why] == [
        ("m2", Kind.CONTROL_PLANE)
    ] * gave_up


@pytest.mark.parametrize("path", [host_paths.KUBELET_CONFIG_YAML, host_paths.SCHEDULER_MANIFEST])
def test_a_file_of_kubeadms_that_was_edited_is_named(path):
    made = dict(CONVERGED.reports["m2"].made) | {path: "1" * 64}
    (found,) = problems(samples.altered(CONVERGED, "m2", made=made))
    assert found.startswith(f"m2: {path} changed by hand")
    assert found.endswith("fix: `haplane up inventories/test.py`")


@pytest.mark.parametrize(
    ("name", "path"), [("m2", host_paths.ADMIN_KUBECONFIG), ("w1", host_paths.KUBELET_CONFIG_YAML)]
)
def test_a_file_of_kubeadms_that_is_gone_is_named_on_a_host_that_is_a_node(name, path):
    files = {one: found for one, found in CONVERGED.reports[name].model_dump()["files"].items() if one != path}
    (found,) = problems(samples.altered(CONVERGED, name, files=files))
    assert found.startswith(f"{name}: {path} is missing")
    blank = samples.altered(CONVERGED, name, files={}, units={})
    assert not any("missing (kubeadm" in line for line in problems(blank))


@pytest.mark.parametrize("name", ["m2", "w1"])
def test_files_that_a_running_kubelet_has_lost_are_named_with_the_run_that_puts_them_back(name):
    files = CONVERGED.reports[name].model_dump()["files"]
    lost = {path: file for path, file in files.items() if path not in WORKER_EVIDENCE}
    found = problems(samples.altered(CONVERGED, name, files=lost))
    [line] = [line for line in found if host_paths.KUBELET_CONFIG_YAML in line]
    assert line.startswith(f"{name}: {', '.join(WORKER_EVIDENCE)} is missing")
    assert line.endswith("fix: `haplane up inventories/test.py`")


def test_a_second_manifest_of_a_component_is_named_with_what_removes_it():
    path = "/etc/kubernetes/manifests/kube-apiserver.yaml.bak"
    observation = with_components(("m2",), {path: "kube-apiserver"}, kube_apiserver={"differing": ["--x=1"]})
    (found,) = problems(observation)
    assert found.startswith(f"m2: {path} defines another kube-apiserver")
    assert found.endswith(f"fix: on m2: `mv {path} /root/`")


def test_flags_that_are_not_the_manifests_are_named():
    (found,) = problems(with_components(("m2",), kube_apiserver={"differing": ["--x=1", "--x=2"]}))
    assert found == (
        "m2: kube-apiserver does not match its manifest (--x=1, --x=2); fix: `haplane up inventories/test.py`"
    )


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"units": {"kubelet": ["/etc/systemd/system/kubelet.service.d/10-mine.conf"]}}, ["10-mine.conf"]),
        ({"units": {"etcd": ["/etc/systemd/system/etcd.service.d/10-mine.conf"]}}, []),
        ({"cni": ["05-mine.conflist", "10-flannel.conflist"]}, ["05-mine.conflist, not flannel's"]),
        ({"cni": ["10-flannel.conflist", "99-loopback.conf"]}, []),
        ({"forward": ["ip filter FORWARD"]}, ["insert rule ip filter FORWARD ip saddr 10.244.0.0/16 accept"]),
        ({"forward": ["legacy"]}, ["iptables-legacy -I FORWARD -s 10.244.0.0/16 -j ACCEPT"]),
    ],
)
def test_what_takes_the_place_of_haplanes_files_is_named(told, words):
    """A worker runs no etcd."""
    found = problems(samples.altered(CONVERGED, "w1", precedence=told))
    assert [word in one for one, word in zip(found, words, strict=True)] == [True] * len(words)
    assert all(one.startswith("w1: ") and "fix: on w1: `" in one for one in found)


@pytest.mark.parametrize(
    ("refusal", "command"),
    [
        (
            "exceeded quota: none-here, requested: pods=1, used: pods=9, limited: pods=9",
            "kubectl --namespace=kube-flannel delete resourcequota none-here",
        ),
        ("failed quota: cpu: must specify limits.cpu", "kubectl --namespace=kube-flannel delete resourcequota cpu"),
        (
            "no PriorityClass with name system-node-critical was found",
            "kubectl create priorityclass system-node-critical --value=2000001000",
        ),
        (
            'violates PodSecurity "restricted:latest": host namespaces',
            "kubectl label namespace kube-flannel pod-security.kubernetes.io/enforce-",
        ),
        (
            "ValidatingAdmissionPolicy 'x' with binding 'x-binding' denied request: no",
            "kubectl delete validatingadmissionpolicybinding x-binding",
        ),
        ('serviceaccount "flannel" not found', "haplane up inventories/test.py"),
    ],
)
def test_what_refuses_a_pod_is_named_with_the_command_that_ends_it(refusal, command):
    warning = f'FailedCreate: Error creating: pods "flannel-" is forbidden: {refusal}'
    refused = {"kube-flannel/flannel": refusal}
    (found,) = problems(with_workloads(daemon_sets=flannel(warning=warning), refused=refused))
    assert found.startswith("kube-flannel/flannel: no pod on m2 (FailedCreate")
    assert found.endswith(f"fix: `{command}`")


def test_an_image_that_is_gone_is_ups_to_import_and_a_crash_has_a_log():
    sets = flannel()
    sets[0]["pods"].append({"name": "flannel-m2", "node": "m2", "ready": False, "message": ""})
    for reason, fix in (
        ("ErrImageNeverPull", "`haplane up inventories/test.py`"),
        (
            "crashes repeatedly",
            "`kubectl --namespace=kube-flannel logs flannel-m2 --previous` shows its last output",
        ),
    ):
        sets[0]["pods"][-1]["reason"] = reason
        (found,) = problems(with_workloads(daemon_sets=sets))
        assert found.endswith(f"fix: {fix}")


@pytest.mark.parametrize("ours", [True, False])
def test_a_daemon_set_that_somebody_aimed_elsewhere_has_one_command(ours):
    """What haplane applied it puts back; a record without it leaves that to the operator."""
    edited = ["/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy"] if ours else []
    sets = [{"name": "kube-system/kube-proxy", "desired": 0, "ready": 0, "selects": {"nobody": "here"}}]
    found = problems(with_workloads(daemon_sets=sets, edited=edited))
    (left_out,) = (line for line in found if "it is for 0 nodes" in line)
    assert left_out.endswith("fix: `haplane up inventories/test.py`") is ours
    assert ("kubectl --namespace=kube-system patch daemonset kube-proxy" in left_out) is not ours


def with_file(name, path, digest):
    files = CONVERGED.reports[name].model_dump()["files"]
    files[path]["sha256"] = digest
    return samples.altered(CONVERGED, name, files=files)


@pytest.mark.parametrize("path", [host_paths.KUBERNETES_CA_CRT, host_paths.ENCRYPTION_YAML])
def test_a_key_that_was_replaced_on_one_master_is_named(path):
    """`up` refused, and status called the cluster healthy until something used it."""
    (found,) = problems(with_file("m3", path, "f" * 64))
    assert found.startswith(f"m3: {path} differs from the other masters'")
    assert f"copy {path} from another master to m3" in found


def test_keys_that_differ_because_they_are_being_rotated_are_no_second_problem():
    """Copying the file from another master would undo the rotation's stage."""
    observation = with_file("m3", host_paths.ENCRYPTION_YAML, "f" * 64)
    staged = host_paths.ROTATION_FILES["encryption"][0]
    for name in ("m1", "m2"):
        files = observation.reports[name].model_dump()["files"]
        files[staged] = {"sha256": samples.SHA256, "mode": 0o600, "user_id": 0, "changed_at": 1}
        observation = samples.altered(observation, name, files=files)
    (found,) = problems(observation)
    assert found.startswith("the rotation of the encryption keys is not finished")


def test_swap_that_was_turned_on_later_is_named_before_the_kubelet_has_to_start_again():
    machine = CONVERGED.reports["w1"].machine.model_dump() | {"swap_bytes": 1 << 30}
    (found,) = problems(samples.altered(CONVERGED, "w1", machine=machine))
    assert found.startswith("w1: swap is on: its kubelet would not start again; fix: on w1: `swapoff -a`")


def with_balancer(name, **changes):
    balancer = CONVERGED.reports[name].balancer.model_dump() | changes
    return samples.altered(CONVERGED, name, balancer=balancer)


@pytest.mark.parametrize(
    ("balanced", "why"),
    [
        (["10.0.0.21", "10.0.0.22", "10.0.0.23"], None),
        (["10.0.0.21", "10.0.0.21", "10.0.0.23"], "it names 10.0.0.21, not 10.0.0.22"),
        (["10.0.0.21", "10.0.0.22", "10.9.9.9"], "it names 10.9.9.9, not 10.0.0.23"),
    ],
)
def test_a_load_balancer_that_sends_clients_elsewhere_is_named(balanced, why):
    """Its servers have the masters' names and are UP: another address is behind one of them."""
    found = problems(with_balancer("lb2", balanced=balanced))
    line = f"lb2: its haproxy.cfg does not name every master once ({why}); fix: `haplane up inventories/test.py`"
    assert found == ((line,) if why else ())


def test_an_endpoint_address_on_a_third_host_and_on_two_load_balancers_has_a_cause():
    (both,) = problems(with_balancer("lb2", holds_endpoint=True))
    assert "lb1 and lb2 both hold the endpoint's address (neither receives the other's VRRP adverts); fix: " in both
    stopped = {"stopped": [{"program": "keepalived", "process": 4711}]}
    found = problems(samples.altered(with_balancer("lb2", holds_endpoint=True), "lb2", condition=stopped))
    line = "both hold the endpoint's address (keepalived on lb2 is stopped and sends no adverts); fix: on lb2: `kill"
    assert any(line in one for one in found)
    observation = with_balancer("lb1", holds_endpoint=False, endpoint_answers=True)
    (third,) = problems(observation)
    assert "(seen from lb1, another host answers at 10.0.0.10); fix: find that host" in third


@pytest.mark.parametrize(
    ("name", "address", "owner"),
    [
        ("m2", "10.0.0.10", "the endpoint"),
        ("lb1", "10.0.0.10", None),
        ("m2", "10.0.0.21", "m1"),
        ("m1", "10.0.0.21", None),
    ],
)
def test_an_address_on_a_host_that_it_does_not_belong_to(name, address, owner):
    addresses = CONVERGED.reports[name].model_dump()["addresses"]
    observation = samples.altered(CONVERGED, name, addresses=addresses | {"eth9": [address]})
    line = (
        f"{name}: its eth9 has {address}, the address of {owner} (packets for it arrive at either); fix: on {name}: "
    )
    assert problems(observation) == ((f"{line}`ip address del {address} dev eth9`",) if owner else ())


def test_a_kernel_setting_that_was_undone_is_named_and_set_again():
    told = {"kernel": {"net.ipv4.ip_forward": "0, set by /etc/sysctl.d/99-hardening.conf"}}
    observation = samples.altered(CONVERGED, "w1", precedence=told)
    (found,) = problems(observation)
    assert found.startswith("w1: the kernel's net.ipv4.ip_forward is 0, set by /etc/sysctl.d/99-hardening.conf")
    assert "fix: remove it from /etc/sysctl.d/99-hardening.conf, then `haplane up" in found
    wanted = samples.wants(INVENTORY, observation.reports)["w1"].files
    assert [file.path for file in changed_files(wanted, observation.reports["w1"])] == [host_paths.SYSCTL_CONF]


def test_a_module_that_was_unloaded_is_loaded_again_with_its_settings():
    told = {"kernel": {"net.bridge.bridge-nf-call-iptables": "not there, as the module br_netfilter is not loaded"}}
    observation = samples.altered(CONVERGED, "w1", precedence=told)
    (found,) = problems(observation)
    assert found.startswith("w1: the kernel's net.bridge.bridge-nf-call-iptables is not there, as the module br_net")
    assert "fix: `haplane up" in found
    wanted = samples.wants(INVENTORY, observation.reports)["w1"].files
    changed = {file.path for file in changed_files(wanted, observation.reports["w1"])}
    assert changed == {host_paths.SYSCTL_CONF, host_paths.KERNEL_MODULES_CONF}


def test_a_kubeconfig_that_leads_to_another_cluster_is_named():
    """Its node is NotReady because its kubelet reports to somebody else: "stopped posting node status" was all."""
    servers = {"/etc/kubernetes/kubelet.conf": "https://192.0.2.1:6443"}
    (found,) = problems(samples.altered(CONVERGED, "m3", servers=servers))
    assert found.startswith("m3: /etc/kubernetes/kubelet.conf names https://192.0.2.1:6443")
    assert "haplane up" in found


def forbidden(answer):
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        forbids = {"ready": True, "forbids": answer}
        observation = samples.altered(observation, name, kubernetes=None, workloads=None, apiserver=forbids)
    (found,) = problems(observation)
    return found


def test_administrators_whose_role_is_gone_get_it_from_an_api_server_that_starts():
    role = 'RBAC: clusterrole.rbac.authorization.k8s.io "cluster-admin" not found'
    found = forbidden(f"/api/v1/namespaces/kube-system: HTTP 403: namespaces is forbidden: {role}")
    assert "fix: on m1: `cd /etc/kubernetes; mv manifests/kube-apiserver.yaml .; sleep 20; mv kube-api" in found


def test_administrators_without_rights_are_the_cause_and_get_them_again():
    found = forbidden("/api/v1/namespaces/kube-system: HTTP 403")
    assert found.startswith(
        "the cluster's nodes are unknown (the API servers forbid administrators to look: /api/v1/namespaces/"
        "kube-system: HTTP 403); fix: on m1: `kubeadm init phase kubeconfig super-admin --config=/etc/kubernetes/"
    )
    assert "rm -f /etc/kubernetes/super-admin.conf`, then `haplane up " in found


def test_a_conversion_webhook_that_does_not_answer_is_named():
    """Nobody can read its objects: namespaces are not deleted, nor garbage, and status called all that healthy."""
    told = [
        {
            "name": "widgets.bugs.example.org",
            "why": "its service bugs/convert has no endpoints",
            "target": "bugs/convert",
        }
    ]
    observation = samples.converged(samples.inventory())
    for name in ("m1", "m2"):
        observation = samples.altered(observation, name, conversions=told)
    (line,) = status_of(samples.inventory(), observation).lines
    assert line.startswith(
        "objects of widgets.bugs.example.org cannot be read: namespaces and garbage are not deleted"
    )
    assert "fix: restore bugs/convert, or `kubectl edit crd widgets.bugs.example.org`" in line
