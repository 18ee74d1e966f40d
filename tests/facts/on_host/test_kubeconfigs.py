"""A kubeconfig that gets its user nowhere is named, and why."""

import base64

import pytest
import samples
from observing import observe

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
@pytest.mark.parametrize("name", ["admin", "kubelet", "scheduler"])
def test_a_kubeconfig_whose_parts_do_not_fit_is_named(tmp_path, changes, why, name):
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki/ca.crt").write_bytes(CA.certificate)
    path = tmp_path / f"{name}.conf"
    path.write_text(kubeconfig(**changes))
    found = observe(moved={"/etc/kubernetes": tmp_path}).unusable
    assert found == ({str(path): why} if why else {})


def test_one_that_skips_verification_is_named(tmp_path):
    path = tmp_path / "admin.conf"
    path.write_text(kubeconfig(ca=None).replace("    server:", "    insecure-skip-tls-verify: true\n    server:"))
    assert observe(moved={"/etc/kubernetes": tmp_path}).unusable == {str(path): "it does not verify the API server"}
