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


def write_pair(directory, name, pair, key=None):
    (directory / f"{name}.crt").write_bytes(pair.certificate)
    if key is not None:
        (directory / f"{name}.key").write_bytes(key)


def test_one_whose_key_is_another_or_is_damaged_is_told_as_none(tmp_path):
    """A run that ended between the two files, a full disk: no server starts with them, and the names are there."""
    pair, other = (samples.identity().kubernetes, samples.identity().front_proxy)
    write_pair(tmp_path, "fits", pair, pair.private_key)
    write_pair(tmp_path, "others", pair, other.private_key)
    write_pair(tmp_path, "short", pair, pair.private_key[:60])
    write_pair(tmp_path, "empty", pair, b"")
    write_pair(tmp_path, "without", pair)
    write_pair(tmp_path, "apiserver", pair)
    write_pair(tmp_path, "ca", pair, other.private_key)
    (tmp_path / "directory.key").mkdir()
    write_pair(tmp_path, "directory", pair)
    (tmp_path / "kubelet.pem").write_bytes(pair.certificate + other.private_key)
    (tmp_path / "lost.pem").symlink_to(tmp_path / "nowhere")
    told = observe(certificates=[f"{tmp_path}/*.crt", f"{tmp_path}/*.pem"]).certificates
    usable = sorted(path.rpartition("/")[2] for path, pem in told.items() if pem)
    assert usable == ["ca.crt", "fits.crt", "without.crt"]


def test_a_kubeconfig_with_garbage_hides_no_other_certificate(tmp_path):
    (tmp_path / "a.conf").write_text("client-certificate-data: A\n")
    (tmp_path / "b.crt").write_text(PEM)
    report = observe(certificates=[f"{tmp_path}/*"])
    assert report.certificates == {f"{tmp_path}/a.conf": "", f"{tmp_path}/b.crt": PEM}
