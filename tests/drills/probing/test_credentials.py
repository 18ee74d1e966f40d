import base64
import json
import subprocess
import tempfile
from pathlib import Path

import pytest
import samples
from hypothesis import given
from hypothesis import strategies as st

from haplane.drills.probing.client import Client, Target
from haplane.drills.probing.credentials import from_kubeconfig
from haplane.errors import HaplaneError


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def kubeconfig(**user):
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "admin@lab",
        "contexts": [{"name": "admin@lab", "context": {"cluster": "lab", "user": "admin"}}],
        "clusters": [{"name": "lab", "cluster": {"server": "x", "certificate-authority-data": encoded("CA")}}],
        "users": [{"name": "other", "user": {}}, {"name": "admin", "user": user}],
    }


def test_the_current_contexts_credentials_are_taken():
    document = kubeconfig(**{"client-certificate-data": encoded("CERT"), "client-key-data": encoded("KEY")})
    target = from_kubeconfig(json.dumps(document).encode(), "10.0.0.10", 6443)
    assert (target.ca, target.certificate, target.key) == ("CA", "CERT", "KEY")
    assert (target.address, target.port) == ("10.0.0.10", 6443)


def test_credentials_that_are_elsewhere_are_refused_without_quoting_any():
    document = kubeconfig(**{"client-certificate-data": encoded("CERT"), "client-key-data": "S3CRET!"})
    with pytest.raises(HaplaneError) as caught:
        from_kubeconfig(json.dumps(document).encode(), "10.0.0.10", 6443)
    assert "S3CRET" not in str(caught.value)
    with pytest.raises(HaplaneError, match="no embedded certificate"):
        from_kubeconfig(json.dumps(kubeconfig(token="x")).encode(), "10.0.0.10", 6443)


@given(
    st.binary()
    | st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner)).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_whatever_a_host_answers_is_credentials_or_our_error(document):
    with pytest.raises(HaplaneError):
        from_kubeconfig(document, "10.0.0.10", 6443)


def test_what_kubectl_prints_is_understood(tmp_path):
    document = kubeconfig(**{"client-certificate-data": encoded("CERT"), "client-key-data": encoded("KEY")})
    (tmp_path / "admin.conf").write_text(json.dumps(document))
    kubectl = ["kubectl", f"--kubeconfig={tmp_path}/admin.conf", "config", "view", "--raw", "--output=json"]
    try:
        answer = subprocess.run(kubectl, capture_output=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("kubectl is not installed here")
    assert from_kubeconfig(answer, "10.0.0.10", 6443).key == "KEY"


def test_the_administrators_key_is_written_to_no_disk(monkeypatch, tmp_path):
    """A run that is killed in that moment would leave it in a directory for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    pair = samples.identity().kubernetes
    certificate, key = pair.certificate.decode(), pair.private_key.decode()
    before = set(Path("/proc/self/fd").iterdir())
    client = Client(Target("127.0.0.1", 6443, ca=certificate, certificate=certificate, key=key))
    assert client.target.key == key
    assert len(set(Path("/proc/self/fd").iterdir())) == len(before)
