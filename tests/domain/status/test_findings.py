"""What the cluster's own objects show: each kind with its cause and one command, by the word of most masters."""

import pytest
import samples
from statuses import status_of

INVENTORY = samples.inventory(workers=1)
CONVERGED = samples.converged(INVENTORY)
MASTERS = ("m1", "m2", "m3")
KUBERNETES, DNS = "default/kubernetes", "kube-system/kube-dns"
ENDPOINTS = {KUBERNETES: ("10.0.0.21", "10.0.0.22", "10.0.0.23"), DNS: ("10.244.0.2",)}


def problems(masters=MASTERS, observation=CONVERGED, **found):
    for name in MASTERS:
        seen = {"endpoints": ENDPOINTS} | (found if name in masters else {})
        observation = samples.altered(observation, name, findings=seen)
    return status_of(INVENTORY, observation).lines


def with_workloads(**changes):
    observation = CONVERGED
    for name in MASTERS:
        observation = samples.altered(observation, name, workloads=samples.workloads(INVENTORY, **changes))
    return observation


def test_nothing_amiss():
    assert problems() == ()


UNKNOWN = "/etc/coredns/Corefile:2 - Error during parsing: Unknown directive 'erors'"
EDIT = "fix: `kubectl --namespace=kube-system edit configmap coredns`"


def test_a_corefile_that_coredns_does_not_take_is_named_while_it_still_runs_with_the_older_one():
    """Somebody edited it wrongly: healthy, until the pods started anew and crashed."""
    assert problems(corefile=UNKNOWN) == (
        f"CoreDNS runs with an older Corefile, and does not start with the one that there is now ({UNKNOWN}); {EDIT}",
    )


def test_coredns_that_crashes_by_its_corefile_is_named_with_the_line():
    told = CONVERGED.reports["m1"].kubernetes.model_dump() | {
        "coredns_ready": 0, "coredns_why": "crashes repeatedly: coredns last ended Error, exit 1, 7 restarts",
    }  # fmt: skip
    observation = CONVERGED
    for name in MASTERS:
        observation = samples.altered(observation, name, kubernetes=told)
    (found,) = problems(observation=observation, corefile=UNKNOWN)
    assert found == f"no CoreDNS pod is ready: pods cannot resolve names ({UNKNOWN}); {EDIT}"


@pytest.mark.parametrize(
    "why",
    [
        "[FATAL] plugin/loop: Loop (127.0.0.1:38414 -> :53) detected for zone .",
        "/etc/coredns/Corefile:11 - Error during parsing: plugin/forward: no nameservers found",
    ],
)
@pytest.mark.parametrize("servers", [("127.0.0.1",), ()])
def test_coredns_that_ends_by_its_nodes_resolv_conf_is_sent_there_and_not_to_the_corefile(why, servers):
    observation = CONVERGED
    for name in (*MASTERS, "w1"):
        surroundings = {"name_servers": servers if name == "m2" else ("10.0.0.2",)}
        observation = samples.altered(observation, name, surroundings=surroundings)
    (found,) = problems(observation=observation, corefile=why)
    assert found.endswith(
        "fix: on m2: give /etc/resolv.conf a name server that is not the node itself, then `kubectl "
        "--namespace=kube-system delete pods --selector=k8s-app=kube-dns --field-selector=spec.nodeName=m2`"
    )


@pytest.mark.parametrize(
    ("why", "fix"),
    [
        ("no IP addresses available in range set", "on w1: `journalctl -u containerd -n 50`"),
        ('failed to find plugin "bridge" in path [/opt/cni/bin]', "`haplane up inventories/test.py`"),
    ],
)
def test_a_node_that_is_ready_and_starts_no_pods(why, fix):
    waiting = [{"name": name, "node": "w1", "why": why} for name in ("x/a", "x/b")]
    assert problems(unstarted=waiting) == (f"w1: pods do not start there: x/a, x/b ({why}); fix: {fix}",)


def test_pods_that_the_scheduler_fails_to_bind():
    why = "pods \"p\" is forbidden: ValidatingAdmissionPolicy 'd' with binding 'all' denied request: failed"
    assert problems(unbound=[{"name": "x/p", "why": why}]) == (
        f"the scheduler fails to bind pods to nodes: x/p ({why}); "
        "fix: `kubectl delete validatingadmissionpolicybinding all`",
    )


METRICS = {"name": "v1beta1.metrics.k8s.io", "why": "service/metrics is not present"}


def test_an_api_whose_server_is_gone():
    assert problems(api_services=[METRICS]) == (
        "the API v1beta1.metrics.k8s.io is not available: namespaces are not deleted, and what uses it fails "
        "(service/metrics is not present); fix: restore the service behind it, or "
        "`kubectl delete apiservice v1beta1.metrics.k8s.io`",
    )


def test_one_masters_word_is_not_enough():
    assert problems(masters=("m2",), api_services=[METRICS], unscheduled=["x/p"]) == ()


def test_only_masters_are_asked():
    told = {"endpoints": {}, "api_services": [METRICS]}
    assert problems(observation=samples.altered(CONVERGED, "w1", findings=told)) == ()


@pytest.mark.parametrize(
    ("why", "found", "fix"),
    [
        (
            "Some resources are remaining: widgets.bugs.example.org has 1 resource instances",
            {},
            "`kubectl --namespace=old get widgets.bugs.example.org` shows; if what its finalizers name is gone",
        ),
        ("Some resources are remaining: pods. has 2 resource instances", {}, "`kubectl --namespace=old get pods`"),
        (
            "Discovery failed for some groups",
            {"api_services": [METRICS]},
            "`kubectl delete apiservice v1beta1.metrics.k8s.io`",
        ),
        ("", {}, "`kubectl describe namespace old` shows its conditions"),
    ],
)
def test_a_namespace_that_does_not_go(why, found, fix):
    line = problems(terminating=[{"name": "old", "why": why}], **found)[-1]
    assert line.startswith(f"the namespace old has been terminating for minutes ({why or 'no controller'}")
    assert fix in line


@pytest.mark.parametrize(
    ("kind", "component", "words"),
    [
        ("unscheduled", "kube-scheduler", "pending for over a minute: x/p"),
        ("unobserved", "kube-controller-manager", "without effect: x/p"),
    ],
)
def test_who_leads_and_does_nothing_is_named(kind, component, words):
    (line,) = problems(**{kind: ["x/p"]})
    assert words in line
    assert f"({component} on m1 leads and renews its lease, but does nothing)" in line
    assert line.endswith(f"`kubectl --namespace=kube-system logs {component}-m1 --tail=50` shows what fails")


def test_where_nobody_leads_that_is_the_cause():
    nobody = with_workloads(leases={"kube-scheduler": {"holder": "m1_1", "age_seconds": 95}})
    (line,) = problems(observation=nobody, unscheduled=["x/p"])
    assert line.startswith("no kube-scheduler leads")


def test_a_pod_between_two_crashes():
    crashes = {"name": "kube-system/kube-proxy-x", "node": "w1", "why": "kube-proxy ended 7 times"}
    assert problems(crashing=[crashes]) == (
        "w1: kube-system/kube-proxy-x crashes repeatedly, though it is running now (kube-proxy ended 7 times); "
        "fix: `kubectl --namespace=kube-system logs kube-proxy-x --previous` shows its last output",
    )


@pytest.mark.parametrize(
    ("addresses", "why"),
    [
        (("10.0.0.21", "10.0.0.22"), "m3 missing"),
        (("10.0.0.21", "10.0.0.22", "10.0.0.23", "10.9.9.9"), "10.9.9.9 not a master's"),
        ((), "m1, m2, m3 missing"),
    ],
)
def test_pods_way_to_the_api(addresses, why):
    (line,) = problems(endpoints=ENDPOINTS | {KUBERNETES: addresses})
    way = "the service kubernetes, by which pods reach the API, does not list every API server"
    assert line.startswith(f"{way} ({why}); fix: `kubectl get endpointslices kubernetes ")


def test_masters_that_leave_are_no_strangers():
    leaving = samples.inventory(workers=1).model_copy(update={"leaving": (samples.host("m9", 99),)})
    observation = CONVERGED
    for name in MASTERS:
        seen = {"endpoints": ENDPOINTS | {KUBERNETES: (*ENDPOINTS[KUBERNETES], "10.0.0.99")}}
        observation = samples.altered(observation, name, findings=seen)
    assert status_of(leaving, observation).lines == ()


def test_a_dns_service_that_selects_nothing():
    (line,) = problems(endpoints=ENDPOINTS | {DNS: ()})
    assert line.startswith("pods cannot resolve names: the service kube-dns has no endpoints (CoreDNS pods are ready")


def test_one_that_was_deleted_is_named_as_that_alone():
    gone = with_workloads(missing=["/api/v1/namespaces/kube-system/services/kube-dns"])
    (line,) = problems(observation=gone, endpoints=ENDPOINTS | {DNS: ()})
    assert line.startswith("deleted from the cluster: kube-system/services/kube-dns; fix: `haplane up ")


def test_what_was_not_understood_is_unknown_and_said():
    (line,) = problems(unread={"unobserved": "KeyError('x')"})
    assert line.startswith("the API servers' answer about unobserved is not understood (KeyError('x')); fix: ")


@pytest.mark.parametrize(
    ("selects", "words"),
    [
        (
            {"kubernetes.io/os": "linux", "no": "such"},
            "(its nodeSelector wants no=such); fix: `kubectl --namespace=kube-system patch daemonset kube-proxy "
            """--patch='{"spec": {"template": {"spec": {"nodeSelector": {"no": null}}}}}'`""",
        ),
        ({"kubernetes.io/os": "linux"}, "(its affinity or tolerations leave the others out); fix: `kubectl "),
    ],
)
def test_a_daemon_set_that_leaves_nodes_out(selects, words):
    sets = [{"name": "kube-system/kube-proxy", "desired": 0, "ready": 0, "selects": selects}]
    (line,) = problems(observation=with_workloads(daemon_sets=sets))
    assert line.startswith("kube-system/kube-proxy: it is for 0 nodes, 4 are Ready ")
    assert words in line


FREE = """--type=merge --patch='{"metadata":{"finalizers":null}}'"""


def test_services_that_get_no_address_any_more():
    """`kubectl delete servicecidr kubernetes`: it waits for its finalizer for ever, and no new Service is created."""
    (line,) = problems(service_networks=[{"name": "kubernetes", "why": "it is being deleted"}])
    assert line.startswith(
        "new Services get no address: the ServiceCIDR kubernetes is not usable (it is being deleted)"
    )
    assert f"`kubectl patch servicecidr kubernetes {FREE}`" in line


@pytest.mark.parametrize(
    ("displaced", "what", "fix"),
    [
        (
            {"address": "10.96.7.7"},
            "pods do not reach cluster DNS: the service kube-dns has the address 10.96.7.7, which no pod uses",
            "`haplane up inventories/test.py`",
        ),
        (
            {"address": "10.96.7.7", "holder": "shop/dns"},
            "pods do not reach cluster DNS: its address belongs to the service shop/dns",
            "`kubectl --namespace=shop delete service dns`, then",
        ),
        (
            {"holder": "shop/dns"},
            "pods do not reach cluster DNS: its address belongs to",
            "`kubectl --namespace=shop",
        ),
    ],
)
def test_a_service_of_cluster_dns_at_another_address(displaced, what, fix):
    """`up` makes its own anew: kubeadm cannot change an address. It deletes nobody else's."""
    edited = ["/api/v1/namespaces/kube-system/services/kube-dns"]
    (line,) = problems(observation=with_workloads(edited=edited), displaced_dns=displaced)
    assert line.startswith(what)
    assert f"fix: {fix}" in line


def test_pods_that_start_nowhere_for_want_of_what_up_brings():
    why = 'failed to get sandbox image "registry.k8s.io/pause:3.10.1": failed to pull image'
    (line,) = problems(unstarted=[{"name": "x/p", "node": "w1", "why": why}])
    assert line.endswith("fix: `haplane up inventories/test.py`")


def test_a_pod_that_runs_out_of_memory_is_not_sent_to_its_log():
    one = {
        "name": "kube-system/kube-apiserver-m1",
        "node": "m1",
        "why": "x ended 1 time, last with OOMKilled, exit 137",
    }
    assert problems(crashing=(one,)) == (
        "m1: kube-system/kube-apiserver-m1 runs out of memory, though it is running now (x ended 1 time, last with "
        "OOMKilled, exit 137); fix: `kubectl --namespace=kube-system describe pod kube-apiserver-m1` shows its "
        "limit: raise that, or give m1 more",
    )


@pytest.mark.parametrize(
    ("pod", "line"),
    [
        (
            {"node": "m1", "held": ("example.org/x",)},
            "(finalizers hold it: example.org/x); fix: `kubectl --namespace=kube-system patch pod coredns-x "
            '--type=merge --patch=\'{"metadata":{"finalizers":null}}\'`',
        ),
        (
            {"node": "m1"},
            "(the kubelet of m1 has not ended it); fix: on m1: `journalctl -u kubelet -n 50` shows why; `systemctl "
            "restart kubelet` there has it try again",
        ),
        ({"node": "gone"}, None),
    ],
)
def test_a_pod_that_does_not_go_is_named_with_what_holds_it(pod, line):
    """Unless its node is not Ready, which is named by itself."""
    found = problems(not_going=({"name": "kube-system/coredns-x"} | pod,))
    assert found == ((f"kube-system/coredns-x has been terminating for minutes {line}",) if line else ())


@pytest.mark.parametrize(("since", "named"), [(-10.0, False), (-1000.0, True)])
def test_a_kubelet_that_has_just_started_has_time_to_end_what_was_deleted(since, named):
    """Its host was down for longer than pods wait for it, and is back."""
    units = CONVERGED.reports["m1"].model_dump()["units"]
    units["kubelet"] |= {"active_since": CONVERGED.reports["m1"].started_at + since}
    found = problems(
        observation=samples.altered(CONVERGED, "m1", units=units),
        not_going=({"name": "kube-system/coredns-x", "node": "m1"},),
    )
    assert len(found) == named


def test_coredns_that_is_paused_is_named():
    (found,) = problems(paused=True)
    assert found.endswith("fix: `kubectl --namespace=kube-system rollout resume deployment coredns`")


def test_name_servers_of_the_corefile_that_are_gone_are_named():
    (found,) = problems(unforwarded=("192.0.2.1", "192.0.2.2"))
    assert found.startswith("CoreDNS passes queries on to 192.0.2.1, 192.0.2.2, where nothing answers: pods do not ")
    assert found.endswith(
        "bring 192.0.2.1, 192.0.2.2 back, or `kubectl --namespace=kube-system edit configmap coredns`"
    )
