"""Files that the inventory names: read, or refused with the setting that names them."""

import pytest
import samples

from haplane.desired.authentication import authentication_configuration
from haplane.desired.user_files import UserFiles, read_user_files
from haplane.desired.user_manifest import check_objects
from haplane.errors import BadInput

OBJECT = samples.NETWORK_MANIFEST
MANIFEST, UNREADABLE = "pod_network_manifest", "cannot be read"


def naming(setting, path):
    if setting == MANIFEST:
        return samples.inventory(pod_network_manifest=str(path))
    flags = {"oidc-issuer-url": "https://sso.example.org", "oidc-ca-file": str(path)}
    return samples.inventory(tuning={"kube_apiserver": flags})


def test_an_inventory_that_names_none_has_none():
    assert read_user_files(samples.inventory()) == UserFiles()


def test_what_they_hold_is_kept(tmp_path):
    file = tmp_path / "file"
    file.write_text(OBJECT)
    assert read_user_files(naming(MANIFEST, file)) == UserFiles(pod_network=OBJECT)
    file.write_text("-----BEGIN CERTIFICATE-----\nQUJD\n")
    found = read_user_files(naming("oidc-ca-file", file))
    assert found == UserFiles(oidc_ca=file.read_text())
    assert "QUJD" in authentication_configuration(naming("oidc-ca-file", file), found.oidc_ca)


@pytest.mark.parametrize(
    ("setting", "content", "what", "why"),
    [
        (MANIFEST, None, UNREADABLE, "No such file"),
        (MANIFEST, b"kind: \xff", UNREADABLE, "utf-8"),
        (MANIFEST, b"", UNREADABLE, "no Kubernetes object"),
        (MANIFEST, b"# a comment\n---\n", UNREADABLE, "no Kubernetes object"),
        (MANIFEST, b"not a manifest", UNREADABLE, "line 1: not a Kubernetes object"),
        (MANIFEST, b"- kind: Pod\n", UNREADABLE, "line 1: not a Kubernetes object"),
        (MANIFEST, OBJECT.encode() + b"---\nkind: [Pod\n", UNREADABLE, "line 6: "),
        (MANIFEST, b"a: b: c\nkind: Pod\n", UNREADABLE, "line 1: mapping values are not allowed"),
        (MANIFEST, b"kind: Pod\nmetadata:\n\tname: a\n", UNREADABLE, "line 3: "),
        (
            MANIFEST,
            b"kind: Pod\nmetadata: {name: a}\n",
            UNREADABLE,
            "line 1: an object without apiVersion",
        ),
        (MANIFEST, b"\napiVersion: v1\n", UNREADABLE, "line 2: an object without kind"),
        (MANIFEST, b"apiVersion: v1\nkind:\n", UNREADABLE, "without kind"),
        (
            MANIFEST,
            b"apiVersion: v1\nkind: Pod\nmetadata: {}\n",
            UNREADABLE,
            "a Pod without a name",
        ),
        (
            MANIFEST,
            b'{"apiVersion": "v1", "kind": "List", "items": [{}]}',
            UNREADABLE,
            "without apiV",
        ),
        (MANIFEST, b"[" * 100_000, UNREADABLE, "nested more than"),
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


@pytest.mark.parametrize(
    "text",
    [
        f"# flannel\n---\n{OBJECT}---\n# nothing\n---\n{OBJECT}",
        f"apiVersion: v1\nkind: List\nitems:\n- {OBJECT.replace(chr(10), chr(10) + '  ')}",
        '{\n\t"apiVersion": "v1",\n\t"kind": "Pod",\n\t"metadata": {"name": "a"}\n}\n',
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {a: =, b: !x y}}\n",
    ],
)
def test_all_that_kubectl_reads_is_taken(text):
    check_objects(text)


@pytest.mark.parametrize("setting", [MANIFEST, "oidc-ca-file"])
def test_one_that_everybody_can_change_is_not_given_to_the_cluster(tmp_path, setting):
    file = tmp_path / "file"
    file.write_text(OBJECT if setting == MANIFEST else "-----BEGIN CERTIFICATE-----\n")
    file.chmod(0o666)
    with pytest.raises(BadInput, match="everybody on this machine can change"):
        read_user_files(naming(setting, file))
