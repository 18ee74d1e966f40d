"""Files that the inventory names: read, or refused with the setting that names them."""

import pytest
import samples

from haplane.desired.authentication import authentication_configuration
from haplane.desired.user_files import UserFiles, read_user_files
from haplane.errors import BadInput


def naming(setting, path):
    if setting == "pod_network_manifest":
        return samples.inventory(pod_network_manifest=str(path))
    flags = {"oidc-issuer-url": "https://sso.example.org", "oidc-ca-file": str(path)}
    return samples.inventory(tuning={"kube_apiserver": flags})


def test_an_inventory_that_names_none_has_none():
    assert read_user_files(samples.inventory()) == UserFiles()


def test_what_they_hold_is_kept(tmp_path):
    file = tmp_path / "file"
    file.write_text("kind: List\n")
    assert read_user_files(naming("pod_network_manifest", file)) == UserFiles(pod_network="kind: List\n")
    file.write_text("-----BEGIN CERTIFICATE-----\nQUJD\n")
    found = read_user_files(naming("oidc-ca-file", file))
    assert found == UserFiles(oidc_ca=file.read_text())
    assert "QUJD" in authentication_configuration(naming("oidc-ca-file", file), found.oidc_ca)


@pytest.mark.parametrize(
    ("setting", "content", "what", "why"),
    [
        ("pod_network_manifest", None, "cannot be read", "No such file"),
        ("pod_network_manifest", b"not a manifest", "cannot be read", "no Kubernetes object"),
        ("pod_network_manifest", b"kind: \xff", "cannot be read", "utf-8"),
        ("oidc-ca-file", None, "cannot be read", "No such file"),
        ("oidc-ca-file", b"\xff", "cannot be read", "ascii"),
        ("oidc-ca-file", b"hunter2", "holds no certificate", "no PEM certificate"),
        ("oidc-ca-file", b"x" * (2 << 20), "cannot be read", "larger than 1 MiB"),
    ],
)
def test_one_that_cannot_be_used_is_refused(tmp_path, setting, content, what, why):
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadInput, match=what) as refusal:
        read_user_files(naming(setting, file))
    error = refusal.value
    assert error.where.startswith("inventories/test.py: cluster[")
    assert str(file) in f"{error.what} {error.where}"
    assert why in error.why
    assert error.next_step.startswith("give the path of")
    assert "hunter2" not in str(error)
