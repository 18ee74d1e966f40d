"""Hosts whose certificates have expired: what is planned for them, and that the guard is not asked about the dead."""

import json
from datetime import timedelta
from ipaddress import IPv4Address

import pytest
import samples
from hypothesis import given, settings
from hypothesis import strategies as st

from haplane.desired.keys import KUBEADM_CERTIFICATES
from haplane.domain import host_paths
from haplane.domain.decide import decide
from haplane.domain.plan import Kind
from haplane.pki.etcd_certificates import apiserver_client_files, healthcheck_client_files
from haplane.pki.issue import Usage, issue

LATER = samples.NOW + timedelta(days=403)
"""CAs live on, their certificates do not."""
INVENTORY = samples.inventory(workers=1)
MEMBER = (
    f"{host_paths.ETCD_SERVER_STEM}.crt",
    f"{host_paths.ETCD_PEER_STEM}.crt",
    f"{host_paths.ETCD_HEALTHCHECK_CLIENT_STEM}.crt",
)


def shown(host, when=samples.NOW):
    """Every certificate of a node, issued at that moment, as the observer shows them."""
    identity = samples.identity()
    made = {path: pem for path, pem in identity.to_files().items() if path.endswith(".crt")}
    if host in INVENTORY.masters:
        made |= samples.leaves(host, when) | healthcheck_client_files(identity, when)
        made |= apiserver_client_files(identity, when)
        for name, path in KUBEADM_CERTIFICATES.items():
            authority = identity.front_proxy if name.startswith("front") else identity.kubernetes
            names = {"dns_names": ["localhost"], "addresses": [IPv4Address("10.0.0.10"), IPv4Address("127.0.0.1")]}
            made[path] = issue(authority, name, usages=(Usage.SERVER,), now=when, **names).certificate
    found = {path: pem.decode() for path, pem in made.items() if path.endswith((".crt", ".conf"))}
    return found | {host_paths.KUBELET_CLIENT_PEM: samples.kubelet_pem(host.name, when)}


EXPIRED = {host.name: shown(host) for host in INVENTORY.nodes}
CONVERGED = samples.converged(INVENTORY)
for node in INVENTORY.nodes:
    CONVERGED = samples.altered(CONVERGED, node.name, certificates=shown(node, LATER))


def off_for_long(observation, name, *, etcd_runs=False):
    """What is left of a node that was off until everything had expired, once it is on again."""
    report = observation.reports[name].model_dump(by_alias=True)
    units = report["units"]
    units["kubelet"]["active"] = False
    changes = {"certificates": EXPIRED[name], "units": units, "kubernetes": None}
    changes["apiserver"] = {"ready": False}
    if "etcd" in units:
        units["etcd"]["active"] = etcd_runs
        changes["etcd"] = report["etcd"] | {"status": None, "members": None, "reads_through_quorum": False}
    return samples.altered(observation, name, **changes)


def plan(observation):
    wants = samples.wants(INVENTORY, dict(observation.reports), LATER)
    return decide(samples.cluster_of(INVENTORY), wants, observation)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([host.name for host in INVENTORY.nodes]), min_size=1, unique=True),
    st.booleans(),
)
def test_whoever_slept_too_long_is_started_and_nobody_is_taken_out_of_service(names, etcd_runs):
    observation = CONVERGED
    for name in names:
        observation = off_for_long(observation, name, etcd_runs=etcd_runs)
    found = plan(observation)
    masters = {name for name in names if name.startswith("m")}
    assert not found.of(Kind.ETCD, Kind.CONTROL_PLANE, Kind.CERTIFICATES), (
        "nothing that the guard would be asked about"
    )
    assert not found.of(Kind.INITIALISE, Kind.JOIN, Kind.FORM_ETCD)
    assert set(found.hosts(Kind.START_ETCD)) == set(found.hosts(Kind.RECOVER)) == masters
    assert set(found.hosts(Kind.KUBELET_CLIENT)) == set(found.hosts(Kind.KUBELET)) == set(names)
    for name in masters:
        assert set(MEMBER) <= set(found.items(name, Kind.KEYS))
        assert found.items(name, Kind.RECOVER) == tuple(KUBEADM_CERTIFICATES)
    assert {step.host for step in found.steps} == set(names), "the others are left alone"


def test_a_member_that_serves_in_spite_of_it_is_restarted_behind_the_guard():
    observation = samples.altered(CONVERGED, "m2", certificates=EXPIRED["m2"])
    found = plan(observation)
    assert found.hosts(Kind.ETCD) == found.hosts(Kind.CONTROL_PLANE) == found.hosts(Kind.CERTIFICATES) == ("m2",)
    assert not found.of(Kind.START_ETCD, Kind.RECOVER)
    assert found.hosts(Kind.KUBELET) == found.hosts(Kind.KUBELET_CLIENT) == ("m2",)


def test_a_member_whose_key_is_not_its_certificates_gets_a_pair_and_is_started():
    """`status` names it and says that `up` fixes it: the files are there, and the certificate is valid."""
    observation = off_for_long(CONVERGED, "m2")
    report = observation.reports["m2"].model_dump(by_alias=True)
    words = {"level": "fatal", "msg": "listener failed", "error": "tls: private key does not match public key"}
    units = report["units"] | {"etcd": report["units"]["etcd"] | {"starting": True}}
    found = plan(
        samples.altered(
            observation,
            "m2",
            certificates=shown(INVENTORY.host("m2"), LATER) | {MEMBER[0]: ""},
            etcd=report["etcd"] | {"last_words": [json.dumps(words)]},
            units=units,
        )
    )
    assert found.items("m2", Kind.KEYS) == (MEMBER[0], f"{host_paths.ETCD_SERVER_STEM}.key")
    assert found.hosts(Kind.START_ETCD) == ("m2",)


def test_where_a_controller_manager_still_runs_the_control_plane_is_restarted_as_always():
    observation = off_for_long(CONVERGED, "m3")
    runs = samples.components(kube_controller_manager={"started_at": samples.NOW.timestamp()})
    found = plan(samples.altered(observation, "m3", components=runs))
    assert not found.of(Kind.RECOVER)
    assert found.hosts(Kind.CONTROL_PLANE) == ("m3",)


def test_a_program_of_a_tenant_that_is_called_like_a_scheduler_keeps_no_control_plane_from_being_recovered():
    observation = off_for_long(CONVERGED, "m3")
    found = plan(samples.altered(observation, "m3", listening={"31000": "kube-scheduler"}))
    assert found.hosts(Kind.RECOVER) == ("m3",)
    assert not found.of(Kind.CONTROL_PLANE)


@pytest.mark.parametrize("name", ["m1", "w1"])
@pytest.mark.parametrize(
    ("certificates", "active", "why"),
    [
        ({}, False, "is missing"),
        ({}, True, None),
        ({host_paths.KUBELET_CLIENT_PEM: "nonsense"}, True, "cannot be read"),
        ({"/etc/kubernetes/kubelet.conf": samples.kubelet_pem("m1", LATER)}, True, "embeds one, which nobody renews"),
        (
            {host_paths.KUBELET_CLIENT_PEM: samples.leaves(INVENTORY.masters[0])[MEMBER[0]].decode()},
            True,
            "not issued by",
        ),
        ("its own", True, None),
    ],
)
def test_a_kubelet_that_cannot_renew_its_certificate_gets_one(name, certificates, active, why):
    units = CONVERGED.reports[name].model_dump()["units"]
    units["kubelet"]["active"] = active
    observation = samples.altered(CONVERGED, name, units=units)
    authority = {host_paths.KUBERNETES_CA_CRT: samples.identity().kubernetes.certificate.decode()}
    if certificates == "its own":
        certificates = {host_paths.KUBELET_CLIENT_PEM: samples.kubelet_pem(name, LATER - timedelta(days=364))}
    seen = dict(CONVERGED.reports[name].certificates) | authority | certificates
    if host_paths.KUBELET_CLIENT_PEM not in certificates and why != "embeds one, which nobody renews":
        del seen[host_paths.KUBELET_CLIENT_PEM]
    observation = samples.altered(observation, name, certificates=seen)
    found = [step for step in plan(observation).steps if step.kind is Kind.KUBELET_CLIENT]
    assert [why in step.why for step in found] == ([] if why is None else [True])


def test_a_kubelet_that_has_just_started_may_still_be_writing_its_certificate():
    """One that runs on without would have nothing to start with after a reboot."""
    units = CONVERGED.reports["w1"].model_dump()["units"]
    units["kubelet"]["active_since"] = CONVERGED.reports["w1"].started_at - 10
    shown = {host_paths.KUBERNETES_CA_CRT: samples.identity().kubernetes.certificate.decode()}
    files = CONVERGED.reports["w1"].model_dump()["files"]
    del files[host_paths.KUBELET_CLIENT_PEM]
    observation = samples.altered(CONVERGED, "w1", units=units, certificates=shown, files=files)
    assert not plan(observation).of(Kind.KUBELET_CLIENT)
    units["kubelet"]["active_since"] -= 60
    observation = samples.altered(observation, "w1", units=units)
    assert plan(observation).hosts(Kind.KUBELET_CLIENT, Kind.KUBELET) == ("w1",)


def test_a_report_of_a_fresh_machine_asks_for_nothing_of_the_kind():
    assert not plan(samples.fresh(INVENTORY)).of(Kind.RECOVER, Kind.KUBELET_CLIENT, Kind.START_ETCD)
