"""The program that collects a host's facts as hosts run it, through testinfra."""

import base64
import subprocess
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
import testinfra
from hypothesis import given
from hypothesis import strategies as st

from haplane.checks.host_facts import HOST_FACTS, NoAnswer, gather_facts, parse_facts, run_on_host
from haplane.host_programs import program
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.pki.issue import Usage, issue

NOW = datetime.now(UTC)
IDENTITY = ClusterIdentity.generate("demo", NOW)
BOTH = (Usage.SERVER, Usage.CLIENT)
LEAF = issue(IDENTITY.etcd, "m1", addresses=(IPv4Address("127.0.0.1"),), usages=BOTH, now=NOW)
NOTHING = {
    "units": [],
    "stats": [],
    "certificates": [],
    "settings": [],
    "hashes": {},
    "versions": {},
    "documents": {},
    "requests": {},
    "kubelets": {},
    "running": {"pods": [], "services": [], "variables": []},
}
LOCAL = testinfra.get_host("local://")


def test_files_are_reported_and_keys_are_not(tmp_path):
    (tmp_path / "ca.crt").write_bytes(IDENTITY.etcd.certificate)
    (tmp_path / "leaf.key").write_bytes(LEAF.private_key)
    (tmp_path / "leaf.key").chmod(0o600)
    embedded = base64.b64encode(LEAF.certificate).decode()
    key = base64.b64encode(LEAF.private_key).decode()
    (tmp_path / "admin.conf").write_text(
        f"users:\n- user:\n    client-certificate-data: {embedded}\n    client-key-data: {key}"
    )
    (tmp_path / "both.pem").write_bytes(LEAF.private_key + LEAF.certificate)
    told = run_on_host(
        LOCAL,
        program(*HOST_FACTS),
        {
            **NOTHING,
            "stats": [f"{tmp_path}/**"],
            "certificates": [f"{tmp_path}/*"],
            "hashes": {"x": f"{tmp_path}/ca.crt", "y": f"{tmp_path}/absent"},
            "settings": [f"{tmp_path}/absent"],
        },
    )
    found = parse_facts(told)
    assert found.certificates[f"{tmp_path}/admin.conf"].encode() == LEAF.certificate
    assert found.certificates[f"{tmp_path}/both.pem"].encode() == LEAF.certificate
    assert "PRIVATE" not in told
    assert LEAF.private_key.decode().splitlines()[1] not in told
    assert found.stats[f"{tmp_path}/leaf.key"].mode == 0o600
    assert found.stats[f"{tmp_path}/leaf.key"].owner == tmp_path.owner()
    assert found.hashes["y"] is None
    assert len(str(found.hashes["x"])) == 64
    assert found.settings == {f"{tmp_path}/absent": None}


def test_a_process_that_only_bears_the_name_changes_no_answer(tmp_path):
    """Neither as a static pod's nor as a service's."""
    names = ("kube-apiserver", "etcd", "haplane-story")
    for name in names:
        (tmp_path / name).symlink_to("/bin/sleep")
    spoofed = [subprocess.Popen([tmp_path / name, "60"]) for name in names]
    asked = {"pods": ["kube-apiserver"], "services": ["etcd", "haplane-story"], "variables": ["HOME"]}
    found = gather_facts(LOCAL, {**NOTHING, "running": asked})
    for process in spoofed:
        process.kill()
        process.wait()
    assert (found.processes, found.environment, found.audit_policy) == ({}, {}, None)


def test_commands(tmp_path):
    told = gather_facts(
        LOCAL,
        {
            **NOTHING,
            "versions": {"shell": ["sh", "-c", "echo v1.2.3"], "none": ["/nowhere"], "failing": ["false"]},
            "documents": {"version": ["echo", '{"gitVersion": "v1.35.4"}'], "nodes": ["echo", "not JSON"]},
        },
    )
    assert told.versions == {"shell": "v1.2.3", "none": None, "failing": None}
    assert told.documents.version is not None
    assert told.documents.version.git_version == "v1.35.4"
    assert told.documents.nodes is None


def test_a_failing_script_says_why():
    with pytest.raises(NoAnswer, match=r"ended with exit code 1: KeyError: 'requests'"):
        gather_facts(LOCAL, {})


@given(st.one_of(st.text(), st.recursive(st.none() | st.text(), st.lists).map(str)))
def test_any_other_answer_is_refused(text):
    with pytest.raises(NoAnswer, match="cannot be read"):
        parse_facts(text)
