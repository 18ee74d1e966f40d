"""A kubeconfig that gets its user nowhere is named, and why."""

import base64

import pytest
import samples
from observing import observe

from haplane.facts.on_host.kubeconfigs import certificates_in, why_unusable
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.pki.kubelet_certificates import kubelet_client

OTHER = ClusterIdentity.generate("other", samples.NOW)
CA = samples.identity().kubernetes
PAIR = kubelet_client(CA, "m1", samples.NOW)
ANOTHER = kubelet_client(CA, "m1", samples.NOW)


def kubeconfig(*, ca=CA.certificate, certificate=PAIR.certificate, key=PAIR.private_key):
    parts = {"certificate-authority": ca, "client-certificate": certificate, "client-key": key}
    data = {name: base64.b64encode(content).decode() for name, content in parts.items() if content is not None}
    lines = [f"    {name}-data: {value}\n" for name, value in data.items()]
    return "clusters:\n- cluster:\n    server: https://10.0.0.21:6443\nusers:\n- user:\n" + "".join(lines)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"certificate": None, "key": None}, None),
        ({"ca": CA.certificate.replace(b"\n", b"\r\n") + OTHER.kubernetes.certificate}, None),
        ({"key": ANOTHER.private_key}, "its key does not match its certificate"),
        ({"key": b""}, "its key does not match its certificate"),
        ({"key": None}, "its key does not match its certificate"),
        ({"ca": OTHER.kubernetes.certificate}, "the CA that it trusts is not the cluster's"),
        ({"ca": None}, "it does not verify the API server"),
        ({"ca": b"\xff"}, "what it embeds cannot be read"),
    ],
)
def test_a_kubeconfig_whose_parts_do_not_fit_is_named(changes, why):
    assert why_unusable(kubeconfig(**changes), certificates_in(CA.certificate.decode())) == why


def test_one_that_skips_verification_is_named():
    text = kubeconfig(ca=None).replace("    server:", "    insecure-skip-tls-verify: true\n    server:")
    assert why_unusable(text, set()) == "it does not verify the API server"


def test_each_of_kubeadms_is_looked_at_beside_the_hosts_ca(tmp_path):
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki/ca.crt").write_bytes(CA.certificate)
    for name in ("admin", "kubelet", "scheduler"):
        (tmp_path / f"{name}.conf").write_text(kubeconfig(ca=OTHER.kubernetes.certificate))
    (tmp_path / "controller-manager.conf").write_text(kubeconfig())
    why = "the CA that it trusts is not the cluster's"
    assert observe(moved={"/etc/kubernetes": tmp_path}).unusable == {
        str(tmp_path / f"{name}.conf"): why for name in ("admin", "kubelet", "scheduler")
    }
