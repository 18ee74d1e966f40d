import base64
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import samples

from haplane.domain import host_paths
from haplane.facts.on_host import components
from haplane.waiting import wait_until

MANIFEST = """apiVersion: v1
kind: Pod
metadata:
  name: kube-apiserver
spec:
  containers:
  - command:
    - kube-apiserver
    - --secure-port=6443
    - '--default-unreachable-toleration-seconds=61'
    image: registry.k8s.io/kube-apiserver:v1.35.4
"""


@pytest.fixture
def manifests(tmp_path, monkeypatch):
    monkeypatch.setattr(components, "MANIFEST_DIRECTORY", str(tmp_path))
    (tmp_path / "kube-apiserver.yaml").write_text(MANIFEST)
    os.utime(tmp_path / "kube-apiserver.yaml", (time.time() - 600,) * 2)
    return tmp_path


def test_a_copy_of_a_manifest_is_found_whatever_its_name(manifests):
    for name in ("kube-apiserver.yaml.bak-20261128", "old~", "etcd.yaml"):
        (manifests / name).write_text(MANIFEST.replace("kube-apiserver", "etcd") if "etcd" in name else MANIFEST)
    (manifests / ".kube-apiserver.yaml.swp").write_text(MANIFEST)
    (manifests / "mine.yaml").write_text(MANIFEST.replace("kube-apiserver", "my-proxy"))
    (manifests / "directory").mkdir()
    found = components.conflicting_manifests()
    assert {path.rsplit("/", 1)[1]: name for path, name in found.items()} == {
        "kube-apiserver.yaml.bak-20261128": "kube-apiserver", "old~": "kube-apiserver", "etcd.yaml": "etcd",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("running", "differs"),
    [
        (["--secure-port=6443", "--default-unreachable-toleration-seconds=61"], []),
        (
            ["--secure-port=6443", "--default-unreachable-toleration-seconds=300"],
            ["--default-unreachable-toleration-seconds=300", "--default-unreachable-toleration-seconds=61"],
        ),
        (None, []),
    ],
)
def test_flags_that_run_are_compared_with_the_manifest(manifests, running, differs):
    assert components.differing("kube-apiserver", [running] if running else []) == differs


def test_a_component_whose_manifest_is_gone_is_not_healthy(manifests, monkeypatch):
    monkeypatch.setattr(components, "system_pod_processes", lambda name: [])
    found = components.components()["of"]
    assert found["kube-scheduler"]["unhealthy"] == f"{manifests}/kube-scheduler.yaml is missing"
    assert found["kube-apiserver"]["unhealthy"] is None
    (manifests / "kube-apiserver.yaml").unlink()
    assert components.components()["of"] == {}


def test_the_arguments_of_a_process_are_those_it_was_started_with():
    words = ["-c", "import time; time.sleep(60)", "--flag=a b", ""]
    with subprocess.Popen([sys.executable, *words]) as process:
        try:
            name = Path(sys.executable).name
            wait_until(lambda: components.arguments_of(process.pid, name) == words, 10, "it has started")
            assert components.arguments_of(process.pid, "kube-scheduler") == [], "runc, which becomes it"
        finally:
            process.kill()


def test_it_is_known_when_a_process_started():
    began = time.time()
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            assert began - 1 < components.started_at(process.pid) < time.time() + 1
        finally:
            process.kill()
    assert components.started_at(process.pid) == 0


def test_a_component_reports_its_oldest_process(manifests, monkeypatch):
    monkeypatch.setattr(components, "system_pod_processes", lambda name: [7, 8])
    monkeypatch.setattr(components, "started_at", lambda process: {7: 1000.0, 8: 900.0}[process])
    assert components.components()["of"]["kube-apiserver"]["started_at"] == 900.0


def test_a_manifest_that_was_just_written_is_not_compared(manifests):
    (manifests / "kube-apiserver.yaml").touch()
    assert components.differing("kube-apiserver", [["--other"]]) == []


def test_a_component_that_does_not_listen_is_not_healthy(monkeypatch):
    monkeypatch.setitem(components.HEALTH_PORTS, "kube-scheduler", 9)
    assert "refused" in components.health("kube-scheduler")


@pytest.mark.parametrize(
    ("text", "why"),
    [(None, "is missing"), ("garbage\n", "names no API server"), ("- server: https://127.0.0.1:9\n", ": ")],
)
def test_a_kubeconfig_that_leads_nowhere_is_told_with_its_server(tmp_path, monkeypatch, text, why):
    if text is not None:
        (tmp_path / "scheduler.conf").write_text(text)
    monkeypatch.setitem(components.KUBECONFIGS, "kube-scheduler", str(tmp_path / "scheduler.conf"))
    said = components.reach("kube-scheduler")
    assert why in said
    assert text is None or "server" not in text or said.startswith("https://127.0.0.1:9: ")


def test_one_that_may_renew_its_lease_and_nothing_else_cannot_use_the_api_server(tmp_path, monkeypatch):
    """Somebody had deleted the ClusterRoles: it led, and did nothing."""

    def ask(port, config, paths, **_):
        assert any("/leases/" in path for path in paths)
        raise OSError(f"{paths[-1]}: HTTP 403")

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = f"https://127.0.0.1:{listening.getsockname()[1]}"
        (tmp_path / "scheduler.conf").write_text(f"- server: {server}\n")
        monkeypatch.setitem(components.KUBECONFIGS, "kube-scheduler", str(tmp_path / "scheduler.conf"))
        monkeypatch.setattr(components, "ask", ask)
        assert components.reach("kube-scheduler") == f"{server}: HTTP 403"


def test_an_api_server_that_listens_and_is_busy_cuts_nobody_off(tmp_path, monkeypatch):
    """The kernel takes the connection; nobody ever answers."""
    monkeypatch.setattr(components, "PATIENCE", 0.2)
    monkeypatch.setitem(components.KUBECONFIGS, "kube-scheduler", str(tmp_path / "scheduler.conf"))
    leaf = samples.leaves(samples.host("m1", 21))
    held = {
        "certificate-authority": samples.identity().etcd.certificate,
        "client-certificate": leaf[f"{host_paths.ETCD_SERVER_STEM}.crt"],
        "client-key": leaf[f"{host_paths.ETCD_SERVER_STEM}.key"],
    }
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        lines = [f"    server: https://127.0.0.1:{mute.getsockname()[1]}\n"]
        lines += [f"    {name}-data: {base64.b64encode(text).decode()}\n" for name, text in held.items()]
        (tmp_path / "scheduler.conf").write_text("".join(lines))
        assert components.reach("kube-scheduler") is None
    assert "refused" in components.reach("kube-scheduler")
