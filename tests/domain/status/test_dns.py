"""Who does not reach cluster DNS, or gets nothing from it, though all of it is Ready."""

import pytest
import samples
from statuses import status_of

INVENTORY = samples.inventory(workers=2)
NODES = ("m1", "m2", "m3", "w1", "w2")
NETWORKS = {name: f"10.244.{number}" for number, name in enumerate(NODES, 1)}
COREDNS = {"10.244.1.5": "m1", "10.244.2.5": "m2"}
SERVICE = "10.96.0.10"
LOST, REACHED = (False, "no answer"), (True, "")


def answers(name, wrong):
    """Of one node: ``wrong`` has the bad ones by node, address and whether a pod asked."""
    for address in (*COREDNS, SERVICE):
        for from_pod in (False, True):
            reached, why = wrong(name, address, from_pod) or REACHED
            asked = {"address": address, "service": address == SERVICE, "from_pod": from_pod}
            yield asked | {"reached": reached, "why": why}


def problems(wrong, listed=tuple(COREDNS), changes=None, displaced=None, **cluster):
    inventory = samples.inventory(workers=2, **cluster)
    observation = samples.converged(inventory)
    for name in NODES:
        told = observation.reports[name].kubernetes
        view = told.model_dump() if told else None
        for node in view["nodes"] if view else ():
            node["pod_network"] = f"{NETWORKS[node['name']]}.0/24"
        kubernetes_service = tuple(f"10.0.0.2{number}" for number in (1, 2, 3))
        endpoints = {"default/kubernetes": kubernetes_service, "kube-system/kube-dns": listed}
        observation = samples.altered(
            observation,
            name,
            pod_network={"dns": tuple(answers(name, wrong))},
            kubernetes=view,
            findings={"endpoints": endpoints, "displaced_dns": displaced or {}} if view else None,
            **(changes or {}).get(name, {}),
        )
    return status_of(inventory, observation).lines


def lost(*, by=None, at=None, from_pod=None):
    """Answers that do not come: to these nodes, from these addresses, to pods or to hosts."""
    return lambda name, address, pod: (
        LOST if name in (by or NODES) and address in (at or COREDNS) and from_pod in (None, pod) else None
    )


SYSTEM = "/api/v1/namespaces/kube-system"
LOOK = "`nft list ruleset; ip -4 route; ip -br link`"


def test_all_is_well():
    assert problems(lambda *asked: None) == ()


def test_a_node_whose_pods_reach_no_other_node():
    (found,) = problems(lost(by=["w1"], at=[*COREDNS, SERVICE]))
    assert found.startswith(
        "w1: it and its pods do not reach CoreDNS at 10.244.1.5 on m1, 10.244.2.5 on m2 (no answer"
    )
    assert found.endswith(f"on w1: {LOOK}")
    (found,) = problems(lost(by=["w1"], at=[*COREDNS, SERVICE], from_pod=True))
    assert found.startswith("w1: its pods do not reach CoreDNS at")


def test_a_node_whose_pods_no_other_node_reaches():
    """In each answer of that node's own, its pod is reached: the filter is between them."""
    (found,) = problems(lambda name, address, pod: LOST if address == "10.244.2.5" and name != "m2" else None)
    assert found.startswith(
        "m2: other nodes do not reach pods there (CoreDNS at 10.244.2.5 receives no queries from m1"
    )
    assert found.endswith(f"on m2: {LOOK}")


def test_a_pod_of_coredns_that_answers_nobody():
    (found,) = problems(lost(at=["10.244.1.5"]))
    assert found.startswith("the CoreDNS pod 10.244.1.5 on m1 is Ready, but does not answer queries (m2, m3,")


def test_a_service_address_behind_which_nothing_is_though_pods_answer():
    (found,) = problems(lost(by=["w1"], at=[SERVICE]))
    assert found.startswith(
        "w1: cluster DNS does not answer the host at its service address 10.96.0.10 (no answer, th"
    )
    assert "--selector=k8s-app=kube-proxy --field-selector=spec.nodeName=w1" in found


def test_a_service_that_has_moved_is_named_alone():
    """Everybody asks where it was."""
    (found,) = problems(lost(at=[SERVICE]), displaced={"address": "10.96.220.230", "holder": ""})
    assert found.startswith("pods do not reach cluster DNS: the service kube-dns has the address 10.96.220.230")


@pytest.mark.parametrize("path", ["services/kube-dns", "configmaps/kube-proxy"])
def test_what_somebody_changed_of_the_way_to_it_is_named_alone(path):
    """Its port, or what kube-proxy does: one command, and no search for it in a packet filter on each node."""
    edited = {name: {"workloads": samples.workloads(samples.inventory(workers=2), edited=[f"{SYSTEM}/{path}"])}
              for name in ("m1", "m2", "m3")}  # fmt: skip
    (found,) = problems(lost(at=[SERVICE]), changes=edited)
    assert found == f"changed by hand in the cluster: kube-system/{path}; fix: `haplane up inventories/test.py`"


def test_what_only_pods_do_not_reach_is_no_fault_of_kube_proxy():
    """The host reaches it by the same rules: a filter is between the pods and them."""
    (found,) = problems(lost(by=["w1"], at=[SERVICE], from_pod=True))
    assert found.startswith("w1: cluster DNS does not answer its pods at its service address 10.96.0.10 (no answer")
    assert found.endswith(f"on w1: {LOOK}")


def test_a_corefile_without_the_clusters_own_zone():
    """CoreDNS takes it, and is Ready."""
    (found,) = problems(lambda *asked: (True, "DNS error 3"), dns_domain="a.example")
    assert found.startswith("CoreDNS does not resolve kubernetes.default.svc.a.example: pods do not find services")
    assert "edit configmap coredns`: its Corefile has to have the block `kubernetes a.example ...`" in found


def test_no_single_host_is_believed_about_the_others():
    (found,) = problems(lambda name, address, pod: LOST if name == "w2" and address == "10.244.1.5" else None)
    assert found.startswith("w2: ")
    (found,) = problems(lambda name, address, pod: (True, "DNS error 3") if name == "w2" else None)
    assert found.startswith(
        "w2: cluster DNS does not answer the host at its service address 10.96.0.10 (DNS error 3)"
    )


STARTING = {"units": {"kubelet": {"active": True, "enabled": True, "needs_reload": False, "active_since": 95.0},
                      "containerd": {"active": True, "enabled": True, "needs_reload": False}}}  # fmt: skip


@pytest.mark.parametrize("changed", [STARTING, {"precedence": {"tables": []}}])
def test_a_node_that_starts_or_whose_trouble_is_known_has_no_second_line(changed):
    found = problems(lost(by=["w1"], at=[*COREDNS, SERVICE]), changes={"w1": changed})
    assert [line for line in found if "CoreDNS" in line or "DNS" in line] == []


def test_a_pod_that_api_servers_no_longer_list_may_be_gone():
    assert problems(lost(at=["10.244.1.5"]), listed=("10.244.2.5",)) == ()
    assert problems(lost(at=[*COREDNS, SERVICE]), listed=()) != ()  # of a service without endpoints there is a line
    assert not any("answer" in line for line in problems(lost(at=[*COREDNS, SERVICE]), listed=()))


def test_with_a_pod_network_of_the_users_own_policies_may_keep_pods_from_it(tmp_path):
    (tmp_path / "cilium.yaml").write_text(samples.NETWORK_MANIFEST)
    assert problems(lost(from_pod=True), pod_network_manifest=str(tmp_path / "cilium.yaml")) == ()
