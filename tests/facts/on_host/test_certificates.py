"""Certificates are reported, keys are not."""

import base64

import samples
from observing import observe

PEM = samples.identity().etcd.certificate.decode()
KEY = samples.identity().etcd.private_key.decode()


def test_certificates_are_found_by_pattern(tmp_path):
    (tmp_path / "a.crt").write_text(PEM)
    (tmp_path / "a.key").write_text(KEY)
    assert observe(certificates=[f"{tmp_path}/*.crt"]).certificates == {f"{tmp_path}/a.crt": PEM}


def test_of_files_with_keys_only_certificates_are_told(tmp_path):
    (tmp_path / "kubelet.pem").write_text(PEM + KEY)
    embedded = {name: base64.b64encode(text.encode()).decode() for name, text in (("certificate", PEM), ("key", KEY))}
    lines = [f"    client-{name}-data: {data}\n" for name, data in embedded.items()]
    (tmp_path / "admin.conf").write_text("users:\n- user:\n" + "".join(lines))
    told = observe(certificates=[f"{tmp_path}/*"]).certificates
    assert told == {f"{tmp_path}/kubelet.pem": PEM, f"{tmp_path}/admin.conf": PEM}


def test_a_kubeconfig_with_garbage_hides_no_other_certificate(tmp_path):
    (tmp_path / "a.conf").write_text("client-certificate-data: A\n")
    (tmp_path / "b.crt").write_text(PEM)
    report = observe(certificates=[f"{tmp_path}/*"])
    assert report.certificates == {f"{tmp_path}/a.conf": "", f"{tmp_path}/b.crt": PEM}
