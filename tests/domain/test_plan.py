from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest
import samples
from hypothesis import given, settings
from hypothesis import strategies as st

from haplane.config.model import Inventory
from haplane.desired.keys import KUBEADM_CERTIFICATES
from haplane.domain import host_paths
from haplane.domain.decide import decide
from haplane.domain.observed import Observation
from haplane.domain.plan import Kind, Plan
from haplane.domain.steps.cluster import api_servers_are_down, api_servers_report_nothing, forbidding
from haplane.domain.steps.nodes import WORKER_EVIDENCE
from haplane.pki.issue import Usage, issue

SHAPES = st.fixed_dictionaries(
    {
        "masters": st.sampled_from((1, 3, 5)),
        "etcd": st.sampled_from((0, 3, 5)),
        "balancers": st.integers(0, 2),
        "workers": st.integers(0, 2),
        "endpoint_is_external": st.booleans(),
        "masters_run_pods": st.booleans(),
    }
)
INVENTORY = samples.inventory(workers=1)
CONVERGED = samples.converged(INVENTORY)
PUSHED_KEYS = (host_paths.KUBERNETES_CA_CRT, host_paths.APISERVER_ETCD_CLIENT_CRT, host_paths.ETCD_CA_CRT)


def plan(inventory: Inventory, observation: Observation) -> Plan:
    wants = samples.wants(inventory, dict(observation.reports))
    return decide(samples.cluster_of(inventory), wants, observation)


def drift(name: str, **changes: Any) -> list[tuple[Kind, str, tuple[str, ...]]]:
    """The steps that one changed field of one host's report leads to."""
    observation = samples.altered(CONVERGED, name, **changes)
    return [(step.kind, step.host, step.items) for step in plan(INVENTORY, observation).steps]


def fields(name: str, field: str) -> dict[str, Any]:
    found: dict[str, Any] = CONVERGED.reports[name].model_dump(by_alias=True)[field]
    return found


def without(name: str, field: str, key: str) -> dict[str, Any]:
    return {key_: value for key_, value in fields(name, field).items() if key_ != key}


@settings(max_examples=25, deadline=None)
@given(SHAPES)
def test_nothing_is_left_to_do_once_everything_is_as_wanted(shape):
    inventory = samples.inventory(**shape)
    assert plan(inventory, samples.converged(inventory)).steps == ()


@settings(max_examples=25, deadline=None)
@given(SHAPES)
def test_from_nothing_every_host_gets_its_part(shape):
    inventory = samples.inventory(**shape)
    found = plan(inventory, samples.fresh(inventory))
    names = {
        group: tuple(host.name for host in getattr(inventory, group)) for group in ("masters", "etcd", "workers")
    }
    assert found.hosts(Kind.INITIALISE) == names["masters"]
    assert found.hosts(Kind.FORM_ETCD) == names["etcd"]
    assert found.hosts(Kind.JOIN) == names["workers"]
    assert set(found.hosts(Kind.BALANCER)) >= {host.name for host in inventory.balancer_hosts}
    assert not found.of(Kind.ETCD, Kind.KUBELET, Kind.CONTROL_PLANE, Kind.TIDY)
    assert set(found.hosts(Kind.RUNTIME)) == {host.name for host in inventory.nodes}


@pytest.mark.parametrize(
    ("name", "unit", "kind"),
    [
        ("m1", "containerd", Kind.RUNTIME),
        ("m2", "etcd", Kind.START_ETCD),
        ("m3", "kubelet", Kind.KUBELET),
        ("w1", "kubelet", Kind.KUBELET),
        ("lb1", "haproxy", Kind.BALANCER),
        ("lb2", "keepalived", Kind.BALANCER),
    ],
)
@pytest.mark.parametrize("broken", ["active", "enabled"])
def test_a_unit_that_is_stopped_or_disabled_is_brought_up(name, unit, kind, broken):
    units = fields(name, "units")
    units[unit][broken] = False
    assert drift(name, units=units) == [(kind, name, (unit,))]


def test_a_member_that_is_down_is_started_and_not_restarted_whatever_else_changed():
    units, files = fields("m2", "units"), fields("m2", "files")
    units["etcd"]["active"] = False
    files["/etc/systemd/system/etcd.service"]["sha256"] = "e" * 64
    found = [kind for kind, *_ in drift("m2", units=units, files=files)]
    assert found == [Kind.FILES, Kind.START_ETCD]


def test_a_master_that_lost_its_pki_gets_kubeadms_certificates_back_before_its_api_server_restarts():
    """`rm -rf /etc/kubernetes/pki`: the API server was restarted without a certificate to serve with."""
    files = {path: file for path, file in fields("m1", "files").items() if not path.startswith("/etc/kubernetes/pki")}
    kinds = {kind: items for kind, host, items in drift("m1", files=files) if host == "m1"}
    assert kinds[Kind.CERTIFICATES] == ("apiserver", "apiserver-kubelet-client", "front-proxy-client")
    assert set(PUSHED_KEYS) <= set(kinds[Kind.KEYS])
    assert Kind.CONTROL_PLANE in kinds


def test_a_worker_that_lost_one_of_its_two_files_gets_it_back_without_joining_again():
    """kubeadm joins no node that is Ready, and a join does nothing where kubelet.conf is there."""
    config, kubeconfig = host_paths.KUBELET_CONFIG_YAML, host_paths.KUBELET_KUBECONFIG
    assert drift("w1", files=without("w1", "files", config)) == [(Kind.KUBELET_CONFIG, "w1", ())]
    assert drift("w1", files=without("w1", "files", kubeconfig)) == [
        (Kind.KUBELET_CLIENT, "w1", ()),
        (Kind.KUBELET, "w1", ("kubelet",)),
    ]


def test_a_worker_that_lost_both_while_its_kubelet_runs_on_gets_them_back_without_joining_again():
    """It was taken for a host made anew: its Node was deleted, and its pods by force, while they ran."""
    lost = {path: file for path, file in fields("w1", "files").items() if path not in WORKER_EVIDENCE}
    assert drift("w1", files=lost) == [(Kind.KUBELET_CLIENT, "w1", ()), (Kind.KUBELET_CONFIG, "w1", ())]
    stopped = fields("w1", "units") | {"kubelet": fields("w1", "units")["kubelet"] | {"active": False}}
    assert {kind for kind, *_ in drift("w1", files=lost, units=stopped)} >= {Kind.DELETE_NODE, Kind.JOIN}


def test_a_worker_whose_join_was_interrupted_joins_again():
    """The kubelet has its settings, and no API server knows it yet."""
    observation = samples.altered(CONVERGED, "w1", files=without("w1", "files", host_paths.KUBELET_KUBECONFIG))
    for name in ("m1", "m2", "m3"):
        kubernetes = fields(name, "kubernetes")
        nodes = [node for node in kubernetes["nodes"] if node["name"] != "w1"]
        observation = samples.altered(observation, name, kubernetes=kubernetes | {"nodes": nodes})
    assert plan(INVENTORY, observation).hosts(Kind.JOIN) == ("w1",)


def test_a_worker_that_lost_the_ca_gets_it_back_and_one_that_has_not_joined_has_it_from_kubeadm():
    ca = host_paths.KUBERNETES_CA_CRT
    assert drift("w1", files=without("w1", "files", ca)) == [(Kind.KEYS, "w1", (ca,))]
    joining = {path: file for path, file in fields("w1", "files").items() if path not in (ca, *WORKER_EVIDENCE)}
    blank = samples.altered(CONVERGED, "w1", files=joining, units={})
    assert ca not in plan(INVENTORY, blank).items("w1", Kind.KEYS)


@pytest.mark.parametrize("filtered", [True, None])
def test_a_packet_filter_that_was_flushed_is_loaded_again(filtered):
    balancer = CONVERGED.reports["lb1"].balancer.model_dump()
    assert drift("lb1", balancer=balancer | {"adverts_filtered": filtered}) == []
    assert drift("lb1", balancer=balancer | {"adverts_filtered": False}) == [
        (Kind.BALANCER, "lb1", ("haplane-vrrp",))
    ]


def test_a_missing_package_is_installed_and_started():
    assert drift("lb1", units=without("lb1", "units", "keepalived")) == [
        (Kind.PACKAGES, "lb1", ("keepalived",)),
        (Kind.BALANCER, "lb1", ("keepalived",)),
    ]


@pytest.mark.parametrize(
    ("name", "path", "follows"),
    [
        ("m1", "/etc/containerd/config.toml", [(Kind.RUNTIME, "containerd")]),
        ("m1", "/etc/systemd/system/etcd.service", [(Kind.ETCD, "etcd")]),
        ("m1", "/etc/systemd/system/kubelet.service", [(Kind.KUBELET, "kubelet")]),
        ("m1", "/etc/sysctl.d/99-haplane.conf", []),
        ("m1", "/etc/kubernetes/haplane/kubelet.json", [(Kind.KUBELET_CONFIG, None)]),
        ("w1", "/etc/kubernetes/haplane/kubelet.json", [(Kind.KUBELET_CONFIG, None)]),
        ("lb1", "/etc/haproxy/haproxy.cfg", [(Kind.BALANCER, "haproxy")]),
        ("lb1", "/etc/keepalived/keepalived.conf", [(Kind.BALANCER, "keepalived")]),
        ("lb1", "/etc/haplane/vrrp.nft", [(Kind.BALANCER, "haplane-vrrp")]),
    ],
)
def test_an_edited_file_is_written_again_and_what_reads_it_takes_it_up(name, path, follows):
    edited = fields(name, "files")
    edited[path]["sha256"] = "e" * 64
    expected = [(Kind.FILES, name, (path,))] + [(kind, name, (unit,) if unit else ()) for kind, unit in follows]
    assert drift(name, files=edited) == expected


@pytest.mark.parametrize(
    ("name", "path", "unit", "kind"),
    [
        ("m1", "/etc/systemd/system/etcd.service", "etcd", Kind.ETCD),
        ("m1", "/etc/systemd/system/kubelet.service", "kubelet", Kind.KUBELET),
        ("lb1", "/etc/haproxy/haproxy.cfg", "haproxy", Kind.BALANCER),
    ],
)
def test_what_an_interrupted_run_wrote_and_nobody_took_up_is_taken_up(name, path, unit, kind):
    files, units = fields(name, "files"), fields(name, "units")
    files[path]["changed_at"] = 1000.5
    units[unit]["since"] = 1000.0
    assert drift(name, files=files, units=units) == [(kind, name, (unit,))]
    units[unit]["since"] = 1001.0
    assert drift(name, files=files, units=units) == []


EXTERNAL = samples.inventory(etcd=3, balancers=0)


@pytest.mark.parametrize("path", ["/etc/etcd/pki/haproxy.pem", "/etc/etcd/pki/healthcheck-client.crt"])
def test_haproxy_reads_its_key_to_etcd_again_when_that_is_written(path):
    converged = samples.converged(EXTERNAL)
    files = converged.reports["m1"].model_dump()["files"]
    found = plan(EXTERNAL, samples.altered(converged, "m1", files={key: files[key] for key in files if key != path}))
    assert [(step.kind, step.host) for step in found.steps] == [(Kind.KEYS, "m1"), (Kind.BALANCER, "m1")]
    assert found.items("m1", Kind.BALANCER) == ("haproxy",)


@pytest.mark.parametrize("path", host_paths.HAPROXY_ETCD_KEYS)
def test_haproxy_takes_up_a_key_to_etcd_that_is_newer_than_it(path):
    converged = samples.converged(EXTERNAL)
    report = converged.reports["m1"].model_dump()
    report["files"][path]["changed_at"] = 1000.5
    report["units"]["haproxy"]["since"] = 1000.0
    found = plan(EXTERNAL, samples.altered(converged, "m1", files=report["files"], units=report["units"]))
    assert [(step.kind, step.host, step.items) for step in found.steps] == [(Kind.BALANCER, "m1", ("haproxy",))]


def test_a_configuration_newer_than_the_manifests_made_from_it_is_taken_up():
    files = fields("m1", "files")
    files["/etc/kubernetes/haplane/kubeadm.yaml"]["changed_at"] = 1000.5
    files["/etc/kubernetes/manifests/kube-apiserver.yaml"]["changed_at"] = 1000.0
    assert drift("m1", files=files) == [(Kind.CONTROL_PLANE, "m1", ())]


def test_a_file_with_another_mode_is_written_again():
    looser = fields("m1", "files")
    looser["/etc/kubernetes/haplane/kubeadm.yaml"]["mode"] = 0o644
    assert (Kind.FILES, "m1", ("/etc/kubernetes/haplane/kubeadm.yaml",)) in drift("m1", files=looser)


def test_an_edited_kubeadm_configuration_concerns_the_control_plane():
    edited = fields("m1", "files")
    edited["/etc/kubernetes/haplane/audit-policy.yaml"]["sha256"] = "e" * 64
    assert (Kind.CONTROL_PLANE, "m1", ()) in drift("m1", files=edited)


def test_a_replaced_binary_is_pushed_again():
    path = "/usr/local/bin/kubectl"
    assert drift("m2", bundle=fields("m2", "bundle") | {path: "e" * 64}) == [(Kind.BUNDLE, "m2", (path,))]


@pytest.mark.parametrize(
    ("name", "unit", "kind"),
    [
        ("m1", "containerd", Kind.RUNTIME),
        ("m1", "etcd", Kind.ETCD),
        ("m1", "kubelet", Kind.KUBELET),
        ("w1", "kubelet", Kind.KUBELET),
    ],
)
def test_a_program_that_was_replaced_is_started_anew_also_when_only_the_push_had_happened(name, unit, kind):
    path = f"/usr/local/bin/{unit}"
    replaced = drift(name, bundle=fields(name, "bundle") | {path: "e" * 64})
    assert replaced == [(Kind.BUNDLE, name, (path,)), (kind, name, (unit,))]
    units = fields(name, "units")
    units[unit]["binary_replaced"] = True
    assert drift(name, units=units) == [(kind, name, (unit,))]


def test_an_image_containerd_does_not_know_is_imported():
    assert drift("m1", images=["registry.k8s.io/pause:3.10.1", "docker.io/flannel/flannel:v0.26.7"]) == [
        (Kind.IMAGES, "m1", ("registry.k8s.io/kube-apiserver:v1.35.4",))
    ]


def test_a_removed_manifest_sends_the_master_through_kubeadm_again():
    path = "/etc/kubernetes/manifests/kube-scheduler.yaml"
    assert drift("m3", files=without("m3", "files", path)) == [(Kind.INITIALISE, "m3", (path,))]


@pytest.mark.parametrize(
    "names",
    [
        host_paths.CONTROL_PLANE_MANIFESTS[:1],
        host_paths.CONTROL_PLANE_MANIFESTS[1:],
        host_paths.CONTROL_PLANE_MANIFESTS,
    ],
)
def test_manifests_that_an_interrupted_restart_left_aside_are_put_back_and_not_made_anew(names):
    files = fields("m3", "files")
    aside = {host_paths.MOVED_MANIFESTS[path]: files[path] for path in names}
    assert drift("m3", files=files | aside) == []
    left = {path: state for path, state in files.items() if path not in names}
    assert drift("m3", files=left | aside) == [(Kind.CONTROL_PLANE, "m3", ())]
    assert [kind for kind, *_ in drift("m3", files=left)] == [Kind.INITIALISE]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/etc/kubernetes/manifests/kube-scheduler.yaml", Kind.CONTROL_PLANE),
        ("/var/lib/kubelet/config.yaml", Kind.KUBELET_CONFIG),
    ],
)
def test_what_kubeadm_made_and_somebody_edited_is_made_again(path, kind):
    made = fields("m2", "made")
    assert made[path] == fields("m2", "files")[path]["sha256"]
    assert drift("m2", made=made | {path: "e" * 64}) == [(kind, "m2", ())]

    del made[path]  # in a run that was killed before: an edit of it would never be found
    assert drift("m2", made=made) == [(kind, "m2", ())]


def test_a_kubelet_that_is_older_than_its_configuration_is_configured_again():
    files, units = fields("w1", "files"), fields("w1", "units")
    files["/var/lib/kubelet/config.yaml"]["changed_at"] = 1000.5
    units["kubelet"]["since"] = 1000.0
    assert drift("w1", files=files, units=units) == [(Kind.KUBELET_CONFIG, "w1", ())]


def kubeadm_made(lifetime):
    """The certificates of a master as the observer shows them; kubeadm's own end after this many days."""
    shown = {path: pem.decode() for path, pem in samples.identity().to_files().items() if path.endswith(".crt")}
    names = ("10.0.0.10", "127.0.0.1", "10.0.0.21", "10.0.0.22", "10.0.0.23")
    for name, path in KUBEADM_CERTIFICATES.items():
        identity = samples.identity()
        authority = identity.front_proxy if name.startswith("front") else identity.kubernetes
        addresses = [IPv4Address(one) for one in names]
        leaf = issue(
            authority, name, dns_names=["localhost"], addresses=addresses, usages=(Usage.SERVER,), now=samples.NOW,
            days=lifetime,
        )  # fmt: skip
        shown[path] = leaf.certificate.decode()
    return shown


def test_kubeadms_certificates_are_renewed_before_they_expire_and_who_reads_them_starts_anew():
    assert drift("m1", certificates=kubeadm_made(365)) == []
    found = drift("m1", certificates=kubeadm_made(60))
    assert found == [
        (Kind.CERTIFICATES, "m1", tuple(KUBEADM_CERTIFICATES)),
        (Kind.CONTROL_PLANE, "m1", ()),
    ]
    damaged = kubeadm_made(365)
    damaged[KUBEADM_CERTIFICATES["scheduler.conf"]] = "nonsense"
    del damaged[KUBEADM_CERTIFICATES["apiserver"]]
    assert drift("m1", certificates=damaged)[0] == (Kind.CERTIFICATES, "m1", ("apiserver", "scheduler.conf"))


@pytest.mark.parametrize(
    ("state", "due"),
    [
        ({"server": "https://192.0.2.1:6443", "unserved": "timed out"}, True),
        ({"server": "https://10.0.0.21:6443", "unserved": "https://10.0.0.21:6443: HTTP 401"}, True),
        ({"server": "https://10.0.0.21:6443", "unserved": "https://10.0.0.21:6443: timed out"}, False),
        ({"server": "https://10.0.0.21:6443"}, False),
        ({"server": "https://10.0.0.10:6443"}, False),
    ],
)
def test_a_kubeconfig_that_gets_its_component_to_no_api_server_is_made_anew(state, due):
    told = samples.components(kube_scheduler=state)
    found = drift("m1", certificates=kubeadm_made(365), components=told)
    steps = [(Kind.CERTIFICATES, "m1", ("scheduler.conf",)), (Kind.CONTROL_PLANE, "m1", ())]
    assert found == (steps if due else [])


@pytest.mark.parametrize("server", ["https://10.0.0.21:6443", "https://10.0.0.10:6443", "https://192.0.2.1:6443"])
def test_a_kubeconfig_of_the_kubelet_or_the_administrator_that_leads_elsewhere_is_made_anew(server):
    """A field case's neighbour: the scheduler's was compared, kubelet.conf and admin.conf were not."""
    elsewhere = server == "https://192.0.2.1:6443"
    kubelet = drift("m1", servers={host_paths.KUBELET_KUBECONFIG: server})
    replaced = [(Kind.KUBELET_CLIENT, "m1", ()), (Kind.KUBELET, "m1", ("kubelet",))]
    assert kubelet == (replaced if elsewhere else [])
    admin = drift("m1", certificates=kubeadm_made(365), servers={host_paths.ADMIN_KUBECONFIG: server})
    renewed = [(Kind.CERTIFICATES, "m1", ("admin.conf",)), (Kind.CONTROL_PLANE, "m1", ())]
    assert admin == (renewed if elsewhere else [])


def test_a_workers_kubelet_finds_the_api_through_the_endpoint_alone():
    assert drift("w1", servers={host_paths.KUBELET_KUBECONFIG: "https://10.0.0.10:6443"}) == []
    found = drift("w1", servers={host_paths.KUBELET_KUBECONFIG: "https://10.0.0.21:6443"})
    assert (Kind.KUBELET_CLIENT, "w1", ()) in found


@pytest.mark.parametrize("path", ["/etc/kubernetes/scheduler.conf", "/etc/kubernetes/pki/apiserver-etcd-client.crt"])
def test_a_certificate_that_is_newer_than_who_reads_it_is_taken_up(path):
    files = fields("m1", "files")
    files[path]["changed_at"] = 1000.5
    files["/etc/kubernetes/manifests/kube-apiserver.yaml"]["changed_at"] = 1000.0
    assert drift("m1", files=files) == [(Kind.CONTROL_PLANE, "m1", ())]


def test_the_api_server_takes_up_a_new_key_to_etcd():
    path = "/etc/kubernetes/pki/apiserver-etcd-client.crt"
    assert drift("m1", files=without("m1", "files", path)) == [
        (Kind.KEYS, "m1", (path,)),
        (Kind.CONTROL_PLANE, "m1", ()),
    ]


@pytest.mark.parametrize("status", ["DRAIN", "MAINT", "no check"])
def test_a_server_left_out_of_service_is_put_back(status):
    servers = [{"backend": "apiservers", "name": "m2", "status": status}]
    balancer = fields("lb1", "balancer") | {"servers": servers}
    assert drift("lb1", balancer=balancer) == [(Kind.UNDRAIN, "lb1", ("apiservers/m2",))]
    others = [{"backend": "web", "name": name, "status": status} for name in ("w", "m2")]
    assert drift("lb1", balancer=balancer | {"servers": others}) == []
    assert drift("lb1", balancer=balancer | {"servers": servers + others}) == [
        (Kind.UNDRAIN, "lb1", ("apiservers/m2",))
    ]


def test_a_missing_key_is_issued_again():
    path = "/etc/etcd/pki/peer.key"
    assert drift("m1", files=without("m1", "files", path)) == [(Kind.KEYS, "m1", (path,))]


def test_a_leaf_that_is_not_of_this_authority_is_issued_again_with_its_key():
    stem = "/etc/etcd/pki/server"
    stranger = samples.ClusterIdentity.generate("other", samples.NOW)
    pem = samples.etcd_server_files(stranger, "m1", INVENTORY.masters[0].address, samples.NOW)[f"{stem}.crt"]
    found = drift("m1", certificates={f"{stem}.crt": pem.decode()})
    assert found == [(Kind.KEYS, "m1", (f"{stem}.crt", f"{stem}.key")), (Kind.ETCD, "m1", ("etcd",))]


@pytest.mark.parametrize("pem", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_leaf_that_cannot_be_read_is_issued_again(pem):
    path = "/etc/etcd/pki/server"
    found = drift("m1", certificates={f"{path}.crt": pem})
    assert found[0] == (Kind.KEYS, "m1", (f"{path}.crt", f"{path}.key"))


def test_a_sound_leaf_is_left_alone():
    certificates = {
        path: pem.decode() for path, pem in samples.leaves(INVENTORY.masters[0]).items() if path.endswith(".crt")
    }
    assert drift("m1", certificates=certificates) == []


@pytest.mark.parametrize(
    "change", [{"labels": []}, {"labels": ["node-role.kubernetes.io/control-plane"]}, {"taints": []}]
)
def test_a_master_without_its_label_or_taint_is_marked(change):
    kubernetes = fields("m1", "kubernetes")
    kubernetes["nodes"] = [node | (change if node["name"] == "m2" else {}) for node in kubernetes["nodes"]]
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        observation = samples.altered(observation, name, kubernetes=kubernetes)
    assert [(step.kind, step.host) for step in plan(INVENTORY, observation).steps] == [(Kind.MARK, "m2")]


@pytest.mark.parametrize("change", [{"applied": "older"}, {"objects": ["haplane", "kubeadm-config", "kube-proxy"]}])
def test_what_exists_once_is_applied_when_it_is_missing_or_outdated(change):
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        observation = samples.altered(observation, name, kubernetes=fields(name, "kubernetes") | change)
    assert [step.kind for step in plan(INVENTORY, observation).steps] == [Kind.CLUSTER]


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({"unreachable_toleration_seconds": 30}, True),
        ({"tuning": {"kubelet": {"maxPods": 50}}}, True),
        ({"proxy_mode": "iptables"}, True),
        ({"masters_run_pods": False}, False),
    ],
)
def test_what_kubeadm_uploads_is_applied_again_when_it_changes(change, again):
    changed = samples.inventory(workers=1, **change)
    assert (samples.cluster_of(changed).applied != samples.cluster_of(INVENTORY).applied) is again
    assert bool(plan(changed, CONVERGED).of(Kind.CLUSTER)) is again


def test_super_admin_conf_is_removed_once_kubeadm_is_through():
    files = fields("m1", "files")
    files[host_paths.SUPER_ADMIN_KUBECONFIG] = files["/etc/kubernetes/admin.conf"]
    assert drift("m1", files=files) == [(Kind.TIDY, "m1", ())]


@pytest.mark.parametrize(("ready", "kinds"), [(False, set()), (True, {Kind.TIDY, Kind.CLUSTER, Kind.MARK})])
def test_super_admin_conf_stays_until_admin_conf_works_or_is_made_to(ready, kinds):
    files = fields("m1", "files")
    files[host_paths.SUPER_ADMIN_KUBECONFIG] = files["/etc/kubernetes/admin.conf"]
    observation = samples.altered(CONVERGED, "m1", files=files)
    for name in ("m1", "m2", "m3"):
        apiserver = {"ready": ready}
        observation = samples.altered(observation, name, kubernetes=None, apiserver=apiserver)
    assert {step.kind for step in plan(INVENTORY, observation).steps} == kinds


@settings(max_examples=30, deadline=None)
@given(st.sets(st.sampled_from(("m1", "m2", "m3"))), st.sets(st.sampled_from(("m1", "m2", "m3"))))
def test_etcd_is_formed_only_when_every_member_answers_and_none_was_ever_in_a_cluster(silent, bootstrapped):
    inventory = samples.inventory()
    observation = samples.fresh(inventory)
    for name in bootstrapped:
        observation = samples.altered(observation, name, etcd=samples.document()["etcd"] | {"bootstrapped": True})
    reports = {name: report for name, report in observation.reports.items() if name not in silent}
    found = plan(inventory, Observation(reports=reports, unreachable=dict.fromkeys(silent, "off")))
    assert bool(found.of(Kind.FORM_ETCD)) == (not silent and not bootstrapped)


def test_a_member_that_an_interrupted_run_left_unsettled_is_settled():
    observation = CONVERGED
    for name in ("m2", "m3"):
        observation = samples.altered(observation, name, etcd=fields(name, "etcd") | {"bootstrapped": False})
    assert plan(INVENTORY, observation).hosts(Kind.FORM_ETCD) == ("m2", "m3")


@pytest.mark.parametrize("lost", [("m1",), ("m2", "m3")])
def test_members_that_lost_their_data_are_never_started_as_they_are(lost):
    observation = CONVERGED
    for name in lost:
        observation = samples.altered(observation, name, etcd=fields(name, "etcd") | {"has_data": False})
    assert not plan(INVENTORY, observation).of(Kind.FORM_ETCD, Kind.START_ETCD, Kind.ETCD)


def test_a_member_whose_data_are_damaged_is_not_started_again():
    etcd = fields("m2", "etcd") | {
        "status": None,
        "reads_through_quorum": False,
        "last_words": ["panic: page 7: multiple references"],
    }
    assert drift("m2", etcd=etcd, units=fields("m2", "units") | {"etcd": {"active": False, "enabled": True,
        "needs_reload": False}}) == []  # fmt: skip


def test_the_node_of_a_machine_that_was_made_anew_is_deleted_and_marked_again():
    observation = samples.altered(CONVERGED, "m1", files={}, units={}, kubernetes=None)
    found = plan(INVENTORY, observation)
    assert found.hosts(Kind.DELETE_NODE) == ("m1",)
    assert found.hosts(Kind.MARK) == ("m1",)
    assert not drift("m1", files=without("m1", "files", "/etc/kubernetes/scheduler.conf")).count(Kind.DELETE_NODE)


def test_a_master_that_left_the_inventory_is_forgotten_and_a_worker_that_joined_by_hand_is_not():
    shrunk = samples.inventory(masters=1)
    only = replace(CONVERGED, reports={"m1": CONVERGED.reports["m1"]})
    assert plan(shrunk, only).hosts(Kind.DELETE_NODE) == (), "they are Ready"
    kubernetes = fields("m1", "kubernetes")
    down = [node | {"ready": node["name"] in ("m1", "m2")} for node in kubernetes["nodes"]]
    assert plan(shrunk, samples.altered(only, "m1", kubernetes=kubernetes | {"nodes": down})).hosts(
        Kind.DELETE_NODE
    ) == ("m3",)


def test_leaving_hosts_leave_until_nothing_is_left_of_them():
    staying = samples.inventory(masters=3, workers=1)
    inventory = staying.model_copy(update={"leaving": (samples.host("m4", 24),)})
    gone = samples.converged(staying).reports
    assert plan_of(inventory, gone | {"m4": samples.report("m4", "10.0.0.24")}).steps == ()
    etcd = samples.document()["etcd"] | {"has_data": True}
    assert plan_of(inventory, gone | {"m4": samples.report("m4", "10.0.0.24", etcd=etcd)}).hosts(
        Kind.DECOMMISSION
    ) == ("m4",)
    with_node = samples.converged(samples.inventory(masters=4, workers=1)).reports
    found = {name: with_node[name].model_copy(update={"etcd": gone[name].etcd}) for name in ("m1", "m2")}
    assert plan_of(inventory, {**gone, **found}).hosts(Kind.DECOMMISSION) == ("m4",)


def plan_of(inventory, reports):
    return plan(inventory, Observation(reports=reports))


def test_what_no_api_server_tells_is_not_missing():
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        down = {"ready": False}
        observation = samples.altered(observation, name, kubernetes=None, apiserver=down)
    assert not plan(INVENTORY, observation).steps


def test_what_api_servers_are_too_slow_to_tell_is_not_missing():
    silent = CONVERGED
    for name in ("m1", "m2", "m3"):
        silent = samples.altered(silent, name, kubernetes=None)
    assert not plan(INVENTORY, silent).steps
    assert api_servers_report_nothing(("m1", "m2", "m3"), silent.reports)
    assert not api_servers_report_nothing(("m1", "m2", "m3"), CONVERGED.reports)


@pytest.mark.parametrize(
    ("path", "change", "due"),
    [
        (f"{host_paths.KUBERNETES_CA_STEM}.key", {"mode": 0o644}, True),
        (f"{host_paths.KUBERNETES_CA_STEM}.key", {"user_id": 65534}, True),
        (host_paths.KUBERNETES_CA_CRT, {"mode": 0o644}, False),
        (host_paths.KUBERNETES_CA_CRT, {"mode": 0o666}, True),
    ],
)
def test_keys_that_others_may_use_are_written_anew(path, change, due):
    files = CONVERGED.reports["m2"].model_dump()["files"]
    found = plan(INVENTORY, samples.altered(CONVERGED, "m2", files=files | {path: files[path] | change}))
    assert found.items("m2", Kind.KEYS) == ((path,) if due else ())


def test_api_servers_that_forbid_administrators_say_so_once_these_had_rights():
    forbids = {"ready": True, "forbids": "/api/v1/namespaces/kube-system: HTTP 403"}
    found = samples.altered(CONVERGED, "m2", kubernetes=None, apiserver=forbids)
    assert forbidding(("m1", "m2", "m3"), found.reports) == ("m2", forbids["forbids"])
    assert forbidding(("m1", "m2", "m3"), CONVERGED.reports) is None
    files = found.reports["m2"].model_dump()["files"]
    begun = {host_paths.SUPER_ADMIN_KUBECONFIG: files[host_paths.ADMIN_KUBECONFIG]}
    assert forbidding(("m1", "m2", "m3"), samples.altered(found, "m2", files=files | begun).reports) is None


def test_api_servers_that_nobody_can_ask_are_not_down():
    assert not api_servers_are_down(("m1", "m2", "m3"), {"w1": CONVERGED.reports["w1"]})


def test_while_containerd_is_down_its_images_are_taken_for_there():
    units = fields("m1", "units")
    stopped = units | {"containerd": units["containerd"] | {"active": False}}
    assert [kind for kind, _, _ in drift("m1", images=None, units=stopped)] == [Kind.RUNTIME]


def test_hosts_with_the_same_step_share_a_line():
    lines = plan(INVENTORY, samples.fresh(INVENTORY)).describe(Kind.FORM_ETCD, Kind.PACKAGES)
    assert lines == [
        "lb1, lb2: install packages (haproxy, keepalived, nftables)",
        "m1, m2, m3: form the etcd cluster (3 members)",
    ]


def test_out_of_space_is_a_step_on_every_member_that_runs_until_the_alarm_is_gone():
    found = CONVERGED
    for name in ("m1", "m2", "m3"):
        etcd = fields(name, "etcd")
        etcd["status"] = dict(etcd["status"], errors=["memberID:2 alarm:NOSPACE "])
        found = samples.altered(found, name, etcd=etcd)
    steps = plan(INVENTORY, found).of(Kind.SPACE)
    assert [(step.host, step.why) for step in steps] == [
        (name, "etcd is out of space (NOSPACE)") for name in ("m1", "m2", "m3")
    ]
    assert plan(INVENTORY, CONVERGED).of(Kind.SPACE) == ()


def test_a_member_is_defragmented_for_its_own_free_pages_only():
    """One etcd member has every `up` compact and defragment all members."""
    etcd = fields("m3", "etcd")
    etcd["status"] = dict(etcd["status"], dbSize=1900 << 20, dbSizeInUse=1 << 20)
    found = samples.altered(CONVERGED, "m3", etcd=etcd)
    assert plan(INVENTORY, found).hosts(Kind.SPACE) == ("m3",)


@pytest.mark.parametrize(
    ("quota", "unit", "restarts"),
    [
        (48 << 20, {}, True),
        (48 << 20, {"drop_ins": ["/etc/systemd/system/etcd.service.d/quota.conf"]}, False),
        (48 << 20, {"drop_ins": ["/etc/systemd/system/etcd.service.d/gone.conf"], "needs_reload": True}, True),
        (2 << 30, {}, False),
    ],
)
def test_a_member_with_another_quota_is_restarted_where_that_changes_it(quota, unit, restarts):
    etcd = fields("m2", "etcd")
    etcd["status"] = dict(etcd["status"], dbSizeQuota=quota)
    units = fields("m2", "units")
    units["etcd"] |= unit
    steps = plan(INVENTORY, samples.altered(CONVERGED, "m2", etcd=etcd, units=units)).of(Kind.ETCD)
    assert [(step.host, step.why) for step in steps] == (
        [("m2", "etcd: its quota differs from the inventory's")] if restarts else []
    )


def test_keys_that_etcds_user_cannot_read_are_given_to_it_by_a_restart():
    path = "/etc/etcd/pki/server.key"
    for owner in ("root", "etcd"):
        files = fields("m2", "files")
        files[path] = dict(files[path], owner=owner)
        steps = plan(INVENTORY, samples.altered(CONVERGED, "m2", files=files)).of(Kind.ETCD)
        assert [step.why for step in steps] == (
            ["etcd: its keys are not owned by its user"] if owner == "root" else []
        )


def test_what_an_upgrade_left_after_its_last_host_is_removed_and_not_before():
    """A hop that was killed after its last node left its binaries on every host until the next upgrade."""
    left = {"leftovers": {"staged": ["1.36.3", "before-1.36.3"]}}
    found = plan(INVENTORY, samples.altered(CONVERGED, "m2", **left))
    assert found.describe(*Kind) == ["m2: remove files that an upgrade staged or replaced (1.36.3, before-1.36.3)"]
    unfinished = samples.altered(samples.altered(CONVERGED, "m2", **left), "m3", bundle={})
    assert not plan(INVENTORY, unfinished).of(Kind.TIDY_STAGED)


def test_api_servers_that_refuse_health_checks_alone_are_not_waited_for():
    refusing = {"ready": False, "why": "/readyz: HTTP 403"}
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        observation = samples.altered(observation, name, apiserver=refusing)
    assert not api_servers_are_down(("m1", "m2", "m3"), observation.reports)
