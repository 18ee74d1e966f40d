import base64
import json
import subprocess
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haplane.domain import host_paths
from haplane.errors import Refused
from haplane.pki.cluster_identity import IDENTITY_PATHS, ClusterIdentity
from haplane.pki.encryption import EncryptionKey, parse_encryption, render_encryption
from haplane.pki.issue import Usage, issue

NOW = datetime(2026, 1, 1, tzinfo=UTC)
IDENTITY = ClusterIdentity.generate("demo", NOW)
OTHER = ClusterIdentity.generate("demo", NOW)

encryption_keys = st.lists(
    st.builds(
        EncryptionKey,
        st.from_regex(r"[A-Za-z0-9-]{1,63}", fullmatch=True),
        st.binary(min_size=32, max_size=32),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda key: key.name,
)


def test_a_master_gives_the_identity_back():
    files = IDENTITY.to_files()
    assert set(files) == set(IDENTITY_PATHS)
    assert ClusterIdentity.from_files({**files, "/etc/kubernetes/admin.conf": b""}) == IDENTITY


@given(encryption_keys)
def test_encryption_keys_round_trip_in_order(keys):
    assert parse_encryption(render_encryption(keys), "f") == tuple(keys)


def test_the_encryption_configuration_writes_with_secretbox_and_reads_plain_text():
    configuration = json.loads(IDENTITY.to_files()[host_paths.ENCRYPTION_YAML])
    secretbox, identity = configuration["resources"][0]["providers"]
    assert len(base64.b64decode(secretbox["secretbox"]["keys"][0]["secret"])) == 32
    assert identity == {"identity": {}}
    assert configuration["resources"][0]["resources"] == ["secrets"]


@pytest.mark.parametrize("path", IDENTITY_PATHS)
def test_another_clusters_file_is_refused_by_name(path):
    files = {**IDENTITY.to_files(), path: OTHER.to_files()[path]}
    if path == host_paths.ENCRYPTION_YAML:  # symmetric: nothing it could disagree with
        assert ClusterIdentity.from_files(files).encryption_keys == OTHER.encryption_keys
        return
    with pytest.raises(Refused) as refused:
        ClusterIdentity.from_files(files)
    assert path.rsplit(".", 1)[0] in str(refused.value)


@pytest.mark.parametrize("path", IDENTITY_PATHS)
def test_an_absent_file_is_refused_by_name(path):
    files = IDENTITY.to_files()
    del files[path]
    with pytest.raises(Refused, match=path):
        ClusterIdentity.from_files(files)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(IDENTITY_PATHS), st.data())
def test_damaged_files_are_refused_and_never_quoted(path, data):
    content = bytearray(IDENTITY.to_files()[path])
    start = data.draw(st.integers(0, len(content) - 1))
    content[start : start + data.draw(st.integers(1, 40))] = data.draw(st.binary(max_size=40))
    try:
        identity = ClusterIdentity.from_files({**IDENTITY.to_files(), path: bytes(content)})
    except Refused as refused:
        assert not any(secret in str(refused) for secret in secrets(IDENTITY))
    else:  # damage that keeps the meaning: around the PEM, or in what only a verifier reads
        assert identity.kubernetes.private_key


def test_a_certificate_is_no_ca():
    certificate = issue(IDENTITY.kubernetes, "certificate", usages=(Usage.CLIENT,), now=NOW)
    files = IDENTITY.to_files()
    files[host_paths.KUBERNETES_CA_CRT] = certificate.certificate
    files[f"{host_paths.KUBERNETES_CA_STEM}.key"] = certificate.private_key
    with pytest.raises(Refused, match="not a CA"):
        ClusterIdentity.from_files(files)


def test_repr_shows_no_private_material():
    assert not any(secret in repr(IDENTITY) for secret in secrets(IDENTITY))


def test_exactly_the_secrets_are_private():
    private = {path for path in IDENTITY_PATHS if host_paths.is_private(path)}
    assert private == {path for path in IDENTITY_PATHS if path.endswith(".key")} | {host_paths.ENCRYPTION_YAML}


def test_openssl_signs_and_verifies_with_both_pairs(tmp_path):
    (tmp_path / "message").write_bytes(b"manifest")
    for stem, options in ((host_paths.SERVICE_ACCOUNT_STEM, ()), (host_paths.SIGNING_STEM, ("-rawin",))):
        for half in ("key", "pub"):
            (tmp_path / f"pair.{half}").write_bytes(IDENTITY.to_files()[f"{stem}.{half}"])
        sign = ["openssl", "pkeyutl", "-sign", "-inkey", "pair.key", "-in", "message", "-out", "signature", *options]
        check = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "pair.pub", "-in", "message"]
        subprocess.run(sign, cwd=tmp_path, check=True)
        subprocess.run([*check, "-sigfile", "signature", *options], cwd=tmp_path, check=True)


def secrets(identity):
    """Every secret as it could leak into text: the line of a key that is private, raw and encoded encryption keys."""
    for path, content in identity.to_files().items():
        if path.endswith(".key"):
            yield content.decode().splitlines()[1]  # the lines after it end in the public half
    for key in identity.encryption_keys:
        yield base64.b64encode(key.secret).decode()
        yield repr(key.secret)
