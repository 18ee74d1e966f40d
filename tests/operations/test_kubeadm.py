import shlex
import subprocess
from pathlib import Path

import pytest
from fake_hosts import commands

from haplane.domain.files import Part, WantedFile
from haplane.domain.plan import MASTER_EVIDENCE
from haplane.operations import kubeadm

EXISTS = 'do test ! -e "$path"'


def program(directory: Path, name: str, script: str) -> None:
    """A stand-in for a program, found first."""
    path = directory / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def shell(script: str, directory: Path, *arguments: str, stdin: str = "") -> int:
    """How the script ends with ``directory`` in place of /etc/kubernetes."""
    script = script.replace("/etc/kubernetes", str(directory))
    environment = {"PATH": f"{directory / 'bin'}:/usr/bin:/bin"}
    return subprocess.run(
        ["/bin/sh", "-c", script, "sh", *arguments], input=stdin, text=True, env=environment, check=False, timeout=20
    ).returncode


def run_phases(*present):
    return commands(kubeadm.run_phases, {EXISTS: list(present)}, config="/k.yaml", evidence=MASTER_EVIDENCE)


def test_a_fresh_master_goes_through_all_phases_but_those_of_the_cluster():
    [_, init] = run_phases()
    *_, script, _, _, config, skips = shlex.split(init)
    assert 'kubeadm init --config "$2" --skip-phases="$3"' in script
    assert config == "/k.yaml"
    skipped = set(skips.split(","))
    assert skipped == {
        "upload-config", "upload-certs", "mark-control-plane", "bootstrap-token", "addon", "show-join-command",
    }  # fmt: skip


def test_a_master_left_half_way_skips_preflight_which_takes_its_files_for_a_strangers():
    assert ",preflight" in run_phases(MASTER_EVIDENCE[0])[1]


def test_a_master_that_has_been_through_is_left_alone():
    assert run_phases(*MASTER_EVIDENCE) == []


def test_a_worker_joins_once():
    config = WantedFile("/join.yaml", b"token: abcdef.0123456789abcdef", Part.KUBELET, 0o600, secret=True)
    [join] = commands(kubeadm.join, {EXISTS: []}, config=config)
    assert "kubeadm join" in join
    assert "token" not in join
    assert commands(kubeadm.join, {EXISTS: [kubeadm.KUBELET_CONFIG]}, config=config) == []


@pytest.mark.parametrize("exit_code", [0, 1])
def test_the_token_does_not_outlive_the_join_whatever_comes_of_it(tmp_path, exit_code):
    config, seen = tmp_path / "haplane/join.yaml", tmp_path / "seen"
    program(tmp_path, "systemctl", "exit 0")
    program(tmp_path, "kubeadm", f"stat -c %a {config} > {seen}; cat {config} >> {seen}; exit {exit_code}")
    assert shell(kubeadm.JOIN, tmp_path, "", str(config), stdin="token") == exit_code
    assert seen.read_text() == "600\ntoken"
    assert not config.exists()


@pytest.mark.parametrize(("manifest", "expected"), [("good", "good"), (None, "aside")])
def test_a_manifest_left_aside_is_put_back_only_where_there_is_none(tmp_path, manifest, expected):
    directory, aside = tmp_path / "manifests", tmp_path / "haplane/kube-apiserver.yaml"
    for path in (directory, aside.parent):
        path.mkdir()
    aside.write_text("aside")
    if manifest is not None:
        (directory / "kube-apiserver.yaml").write_text(manifest)
    program(tmp_path, "pgrep", "exit 1")
    program(tmp_path, "kubeadm", "exit 0")
    assert shell(kubeadm.RESTART, tmp_path, "", "/k.yaml") == 0
    assert (directory / "kube-apiserver.yaml").read_text() == expected
    assert not aside.exists()


def test_what_kubeadm_made_is_noted_before_anything_waits_for_it(tmp_path):
    """A run that is interrupted meanwhile leaves no manifest that the next one takes for edited."""
    (tmp_path / "manifests").mkdir()
    noted = tmp_path / "noted"
    program(tmp_path, "pgrep", "echo 7")
    program(tmp_path, "kubeadm", f"echo made > {tmp_path}/manifests/kube-apiserver.yaml")
    program(tmp_path, "mv", f"test -e {noted} && exit 1")
    note = f"import sys; open({str(noted)!r}, 'w').write(open(sys.argv[1]).read())"
    assert shell(kubeadm.RESTART, tmp_path, note, "/k.yaml") == 1
    assert noted.read_text() == "made\n"


def test_a_file_is_removed_once():
    assert commands(kubeadm.absent, {EXISTS: ["/etc/a b"]}, path="/etc/a b") == ["rm -f '/etc/a b'"]
    assert commands(kubeadm.absent, {EXISTS: []}, path="/etc/a b") == []
