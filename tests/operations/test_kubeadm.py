import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from fake_hosts import commands

from haplane.domain import host_paths
from haplane.domain.files import Part, WantedFile
from haplane.domain.plan import MASTER_EVIDENCE
from haplane.operations import kubeadm
from haplane.scripts import script

EXISTS = 'test ! -e "$path" || echo'


def program(directory: Path, name: str, script: str) -> None:
    """A stand-in for a program, found first."""
    path = directory / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def shell(text: str, directory: Path, *, stdin: str = "") -> int:
    """How the script ends with ``directory`` in place of /etc/kubernetes."""
    text = text.replace("/etc/kubernetes", str(directory))
    environment = {"PATH": f"{directory / 'bin'}:/usr/bin:/bin"}
    return subprocess.run(
        ["/bin/sh", "-c", text], input=stdin, text=True, env=environment, check=False, timeout=20
    ).returncode


def run_phases(*present):
    return commands(kubeadm.run_phases, {EXISTS: list(present)}, evidence=MASTER_EVIDENCE, port=6443)


def skipped(command):
    return set(re.search("skipped='([^']*)'", shlex.split(command)[-1])[1].split(","))


def test_a_fresh_master_goes_through_all_phases_but_those_of_the_cluster():
    [_, init] = run_phases()
    text = shlex.split(init)[-1]
    assert 'kubeadm init --config "$KUBEADM_CONFIG_YAML" --skip-phases="$skipped"' in text
    assert skipped(init) == {
        "upload-config", "upload-certs", "mark-control-plane", "bootstrap-token", "addon", "show-join-command",
    }  # fmt: skip


def test_a_master_left_half_way_skips_preflight_which_takes_its_files_for_another_clusters():
    assert "preflight" in skipped(run_phases(MASTER_EVIDENCE[0])[1])


def test_a_master_that_has_been_through_is_left_alone():
    assert run_phases(*MASTER_EVIDENCE) == []


def test_a_worker_joins_once():
    config = WantedFile("/join.yaml", b"token: abcdef.0123456789abcdef", Part.KUBELET, 0o600, secret=True)
    [join] = commands(kubeadm.join, {EXISTS: []}, config=config)
    assert "kubeadm join" in join
    assert "token" not in join
    assert commands(kubeadm.join, {EXISTS: [host_paths.KUBELET_KUBECONFIG]}, config=config) == []


@pytest.mark.parametrize("exit_code", [0, 1])
def test_the_token_does_not_outlive_the_join_whatever_comes_of_it(tmp_path, exit_code):
    config, seen = tmp_path / "haplane/join.yaml", tmp_path / "seen"
    program(tmp_path, "systemctl", "exit 0")
    program(tmp_path, "kubeadm", f"stat -c %a {config} > {seen}; cat {config} >> {seen}; exit {exit_code}")
    assert shell(script("join_worker", config=str(config), note_program=""), tmp_path, stdin="token") == exit_code
    assert seen.read_text() == "600\ntoken"
    assert not config.exists()


def test_a_file_is_removed_once():
    assert commands(kubeadm.absent, {EXISTS: ["/etc/a b"]}, path="/etc/a b") == ["rm -f '/etc/a b'"]
    assert commands(kubeadm.absent, {EXISTS: []}, path="/etc/a b") == []


@pytest.mark.parametrize("names", [("client-certificate-data: QQ==", "client-key-data: QQ=="), None])
def test_a_kubelet_gets_a_client_certificate_as_its_own_renewal_leaves_one(tmp_path, names):
    """A file with a date, and the link that kubelet.conf names: where the link is a file the kubelet never renews."""
    pki, config = tmp_path / "pki", tmp_path / "kubelet.conf"
    pki.mkdir()
    current, old = pki / "kubelet-client-current.pem", pki / "kubelet-client-2025-01-01-00-00-00.pem"
    old.write_text("expired")
    current.symlink_to(old)
    lines = names or (f"client-certificate: {current}", f"client-key: {current}")
    (tmp_path / "ca.crt").write_text("the CA")
    config.write_text(
        "clusters:\n- cluster:\n    certificate-authority-data: QQ==\n    insecure-skip-tls-verify: true\n"
        "    server: https://192.0.2.1:6443\nusers:\n- user:\n" + "".join(f"    {line}\n" for line in lines)
    )
    text = script("replace_kubelet_client", timestamp="2026-07-01-12-00-00", server="https://10.0.0.21:6443")
    text = text.replace("/var/lib/kubelet/pki", str(pki)).replace("/etc/kubernetes/pki", str(tmp_path))
    assert shell(text, tmp_path, stdin="new") == 0
    assert current.is_symlink()
    assert current.readlink() == pki / "kubelet-client-2026-07-01-12-00-00.pem"
    assert (current.read_text(), current.stat().st_mode & 0o777) == ("new", 0o600)
    assert config.read_text() == (
        "clusters:\n- cluster:\n    certificate-authority-data: dGhlIENB\n    server: https://10.0.0.21:6443\n"
        f"users:\n- user:\n    client-certificate: {current}\n    client-key: {current}\n"
    )
    assert sorted(path.name for path in pki.iterdir()) == sorted(
        (current.name, old.name, "kubelet-client-2026-07-01-12-00-00.pem")
    )


def test_a_kubelet_whose_kubeconfig_is_gone_gets_one_with_its_certificate(tmp_path):
    pki, config = tmp_path / "pki", tmp_path / "kubelet.conf"
    text = script("replace_kubelet_client", timestamp="2026-07-01-12-00-00", server="https://10.0.0.10:6443")
    text = text.replace("/var/lib/kubelet/pki", str(pki)).replace("/etc/kubernetes/pki", str(tmp_path))
    assert shell(text, tmp_path, stdin="new") != 0, "it would trust no API server"
    assert not config.exists()
    (tmp_path / "ca.crt").write_text("the CA")
    assert shell(text, tmp_path, stdin="new") == 0
    made = yaml.safe_load(config.read_text())
    cluster = {"certificate-authority-data": "dGhlIENB", "server": "https://10.0.0.10:6443"}
    current = str(pki / "kubelet-client-current.pem")
    assert [one["cluster"] for one in made["clusters"]] == [cluster]
    assert [one["user"] for one in made["users"]] == [{"client-certificate": current, "client-key": current}]
    assert made["current-context"] == made["contexts"][0]["name"]
    assert config.stat().st_mode & 0o777 == 0o600


def test_kubeadm_finds_the_kubelets_files_that_it_reads_before_it_writes_them(tmp_path):
    """It copies config.yaml first, and one of its versions reads the flags."""
    program(
        tmp_path,
        "kubeadm",
        f"cat {tmp_path}/config.yaml {tmp_path}/kubeadm-flags.env; echo made > {tmp_path}/config.yaml",
    )
    text = script("write_kubelet_config", note_program="").replace("/var/lib/kubelet", str(tmp_path))
    (tmp_path / "kubeadm-flags.env").write_text("nonsense")
    assert shell(text, tmp_path) == 0
    assert (tmp_path / "config.yaml").read_text() == "made\n"
    assert (tmp_path / "kubeadm-flags.env").read_text() == 'KUBELET_KUBEADM_ARGS=""\n'


def test_a_kubelet_that_asked_for_its_serving_certificate_is_waited_for_only_once_it_is_configured(tmp_path):
    """A worker that joined by hand reads haplane's files with its new configuration, a later step of the plan."""
    config = tmp_path / "config.yaml"
    config.write_text("kind: KubeletConfiguration\nserverTLSBootstrap: true\n")
    text = script("serve_new_certificate").replace(host_paths.KUBELET_CONFIG_YAML, str(config))
    assert str(config) in text
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, timeout=10, check=True)
    assert "until it is configured anew" in done.stdout
