"""What is applied once leaves no bootstrap token behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import samples
import yaml
from fake_hosts import commands

from haplane.desired.files import kubeadm_configuration
from haplane.domain import host_paths
from haplane.operations import cluster
from haplane.phases.converge.join_workers import FOR_WORKERS, PRINTED
from haplane.scripts import script

INVENTORY = samples.inventory()
WITH_TOKEN = Path(cluster.__file__).parent / "on_host/with_token.py"
CONFIGURATION = kubeadm_configuration(INVENTORY, INVENTORY.masters[0])


def with_token():
    done = subprocess.run(
        [sys.executable, "-I", str(WITH_TOKEN), cluster.BOOTSTRAP_TOKEN],
        input=CONFIGURATION,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def test_kubeadm_is_given_a_token_that_nobody_can_join_with_and_makes_none_of_its_own():
    """`bootstrapTokens: []` means to kubeadm: one of 24 hours in the group that may join."""
    (init, *others), (again, *_) = with_token(), with_token()
    [token] = init["bootstrapTokens"]
    assert token["token"].startswith(f"{cluster.BOOTSTRAP_TOKEN}.")
    assert token["groups"] == ["system:bootstrappers:haplane:none"]
    assert token["ttl"] == "1m0s"
    assert again["bootstrapTokens"][0]["token"] != token["token"]
    given = list(yaml.safe_load_all(CONFIGURATION))
    assert others == given[1:]
    assert init == given[0] | {"bootstrapTokens": [token]}


def program(directory, name, script):
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def ran(directory, text, *, stdin=""):
    """The programs that a script runs, with their arguments; each succeeds without a word."""
    for name in ("kubeadm", "kubectl"):
        program(directory, name, f'echo {name} "$@" >> {directory}/ran; test "$1" = token || cat >/dev/null')
    text = text.replace("/run/haplane.", f"{directory}/").replace("/etc/kubernetes", str(directory))
    environment = {"PATH": f"{directory}:/usr/bin:/bin"}
    done = subprocess.run(
        ["/bin/sh", "-c", text],
        input=stdin,
        text=True,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return (directory / "ran").read_text()


def apply(config, restart=""):
    """The script; its recorder records nothing."""
    text = script(
        "apply_cluster",
        ["node/m1"],
        patch="{}",
        applied="a",
        proxy="p",
        dns="d",
        dns_address="10.96.0.10",
        token_id=cluster.BOOTSTRAP_TOKEN,
        recorder="",
        port="6443",
        restart=restart,
        watched="content",
    )
    return text.replace(host_paths.KUBEADM_CONFIG_YAML, str(config))


APPLIED_IN_TURN = """
case "$*" in
*apply*network*)
    if [ -e {directory}/established ]; then echo all applied; exit 0; fi
    echo customresourcedefinition.apiextensions.k8s.io/networks.example.org serverside-applied
    echo 'error: {error}' >&2
    exit 1 ;;
*condition=Established*networks.example.org*) touch {directory}/established ;;
*apply*) cat >/dev/null ;;
esac
"""


@pytest.mark.parametrize(
    ("error", "applied"),
    [
        (
            'resource mapping not found for name "default": no matches for kind "Network"',
            True,
        ),
        ("unable to parse YAML", False),
    ],
)
def test_what_uses_a_definition_is_applied_once_that_is_established(tmp_path, error, applied):
    config = tmp_path / "kubeadm.yaml"
    config.write_text(CONFIGURATION)
    program(tmp_path, "kubeadm", "exit 0")
    program(tmp_path, "kubectl", APPLIED_IN_TURN.format(directory=tmp_path, error=error))
    text = apply(config).replace("/run/haplane.XXXXXX", f"{tmp_path}/network.XXXXXX")
    done = subprocess.run(
        ["/bin/sh", "-c", text],
        input="kind: List\n",
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode == 0) is applied, done.stderr
    assert ("all applied" in done.stdout) is applied
    assert applied or error in done.stderr


@pytest.mark.parametrize(("again", "restarts"), [("", []), ("kube-proxy", ["kube-proxy"])])
def test_pods_that_read_what_somebody_changed_start_anew(tmp_path, again, restarts):
    config = tmp_path / "kubeadm.yaml"
    config.write_text(CONFIGURATION)
    said = ran(tmp_path, apply(config, again), stdin="kind: List\n")
    assert [line.rsplit("/", 1)[1] for line in said.splitlines() if "rollout restart" in line] == restarts


SERVED_AT = """
echo kubectl "$@" >> {directory}/ran
case "$*" in
*"get service/kube-dns"*) printf %s {address} ;;
*) cat >/dev/null ;;
esac
"""


@pytest.mark.parametrize(("address", "deleted"), [("10.96.0.10", False), ("", False), ("10.96.220.230", True)])
def test_cluster_dns_at_an_address_that_nobody_asks_is_made_anew(tmp_path, address, deleted):
    """kubeadm fails to change it, after it has changed the rest."""
    config = tmp_path / "kubeadm.yaml"
    config.write_text(CONFIGURATION)
    program(tmp_path, "kubeadm", f'echo kubeadm "$@" >> {tmp_path}/ran')
    program(tmp_path, "kubectl", SERVED_AT.format(directory=tmp_path, address=address))
    text = apply(config).replace("/run/haplane.", f"{tmp_path}/")
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run(["/bin/sh", "-c", text], input=b"kind: List\n", env=environment, check=True, capture_output=True)
    lines = (tmp_path / "ran").read_text().splitlines()
    place = [number for number, line in enumerate(lines) if "delete service kube-dns" in line]
    assert bool(place) is deleted
    assert all(number < lines.index(f"kubeadm init phase addon coredns --config {config}") for number in place)


def test_the_token_of_the_phase_is_deleted_and_is_in_no_argument(tmp_path):
    config = tmp_path / "kubeadm.yaml"
    config.write_text(CONFIGURATION)
    said = ran(tmp_path, apply(config), stdin="kind: List\n")
    assert f"delete secret bootstrap-token-{cluster.BOOTSTRAP_TOKEN} --ignore-not-found" in said
    phase = next(line for line in said.splitlines() if "init phase bootstrap-token" in line)
    assert f"--config {config} " not in phase
    assert f"{cluster.BOOTSTRAP_TOKEN}." not in said


def test_a_new_token_takes_the_place_of_those_made_for_the_same_purpose(tmp_path):
    for purpose in (FOR_WORKERS, PRINTED):
        text = script("new_join_command", description=purpose.description, lifetime=purpose.lifetime)
        said = ran(tmp_path, text)
        assert f"token create --description {purpose.description} --ttl {purpose.lifetime}" in said
        assert "field-selector=type=bootstrap.kubernetes.io/token" in said


@pytest.mark.parametrize(
    ("operation", "arguments", "words"),
    [
        (cluster.delete_node, {"node": "--all"}, "delete --ignore-not-found --wait=false -- node --all"),
        (cluster.label_made, {"nodes": ["--all"], "labels": {"m1": ["a=b"]}}, "label --overwrite -- node --all"),
        (
            cluster.label_masters,
            {"nodes": ["--all"], "run_pods": False, "labels": {}},
            "taint --overwrite -- node --all",
        ),
    ],
)
def test_a_name_is_never_an_option_to_kubectl(tmp_path, monkeypatch, operation, arguments, words):
    log = tmp_path / "log"
    (tmp_path / "kubectl").write_text(f'#!/bin/sh\necho "$@" >> {log}\necho found\n')
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for command in commands(operation, **arguments):
        subprocess.run(["sh", "-c", command], capture_output=True, check=True)
    assert words in log.read_text()
