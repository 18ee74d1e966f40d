"""A changed setting rolls through all masters while clients that never send a request twice see no failure."""

import json
import re
import secrets

import pytest
from lab_cpu import sessions_held_back
from rolling_clients import Clients

from haplane.drills.client import Client
from haplane.drills.credentials import administrator
from haplane.drills.writes import make_namespace, remove_namespace

pytestmark = pytest.mark.lab


@pytest.fixture
def changed(stage, tmp_path):
    """The lab's inventory with other settings."""

    def change(**settings):
        text = (stage.root / stage.path).read_text()
        lines = [f'    "{name}": {value!r},' for name, value in settings.items()]
        path = tmp_path / "lab.py"
        path.write_text(re.sub(r"^cluster = \{$", "\n".join(["cluster = {", *lines]), text, flags=re.M))
        return str(path)

    yield change
    stage.haplane("up", stage.path, "--yes")


def test_a_rolling_restart_of_all_masters_fails_no_request(stage):
    """Somebody edited what kubeadm is told: all control planes start anew from what the inventory says."""
    for master in stage.masters:
        assert stage.run(master, "echo '# by hand' >> /etc/kubernetes/haplane/kubeadm.yaml").returncode == 0
    target = administrator(stage.inventory)
    namespace = f"rolling-{secrets.token_hex(3)}"
    client = Client(target)
    make_namespace(client, namespace)
    try:
        with sessions_held_back(stage.inventory), Clients(target, namespace).at_work() as clients:
            rolled = json.loads(stage.haplane("up", stage.path, "--yes", "--json"))
    finally:
        remove_namespace(client, namespace)
    assert f"{', '.join(stage.masters)}: restart the control plane (its files changed)" in rolled["plan"]
    told = (
        f"{clients.total} requests ({clients.requests}), {len(clients.failures)} failed; "
        f"{clients.connections} HTTP/2 connections, {clients.watches} watches, {len(clients.missed())} events "
        f"missed, longest lag {clients.longest_lag():.2f} s"
    )
    print(told, *clients.slow, sep="\n")
    assert not clients.failures, "\n".join([told, *clients.failures[:20], "slow:", *clients.slow])
    assert clients.total >= 2000
    assert not clients.missed()
    assert clients.longest_lag() < 1.0 + 1.0


@pytest.mark.soak
def test_what_only_the_control_plane_reads_leaves_dns_alone(stage, changed):
    pods = ("get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-dns", "--output=name")
    before = stage.kubectl(*pods).split()  # of a new cluster's some may be on their way out
    done = json.loads(stage.haplane("up", changed(unreachable_toleration_seconds=77), "--yes", "--json"))
    assert any("restart the control plane" in line for line in done["plan"])
    assert set(stage.kubectl(*pods).split()) <= set(before)


@pytest.mark.soak
def test_settings_of_kubelets_and_kube_proxy_reach_what_runs(stage, changed):
    """They are read at the start only: kubelets and pods that are older start anew."""
    nested = stage.inventory.cluster.tuning.model_dump()
    kubelet = {**nested["kubelet"], "maxPods": 77}
    proxy = {**nested["kube_proxy"], "configSyncPeriod": "14m0s"}
    tuning = {
        "ignored_preflight_checks": list(nested["ignored_preflight_checks"]),
        "containerd_restrict_oom_score_adj": nested["containerd_restrict_oom_score_adj"],
        "kubelet": kubelet,
        "kube_proxy": proxy,
    }
    text_of = changed(tuning=tuning)
    path = stage.root / text_of
    path.write_text(path.read_text().replace('    "tuning": "nested",', ""))
    pods = stage.kubectl("get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-proxy", "--output=name").split()
    done = json.loads(stage.haplane("up", str(path), "--yes", "--json"))
    assert any("configure the kubelet anew" in line for line in done["plan"])
    capacity = stage.kubectl("get", "nodes", "--output=jsonpath={.items[*].status.capacity.pods}").split()
    assert capacity == ["77"] * len(stage.masters)
    stage.kubectl("-n", "kube-system", "rollout", "status", "daemonset/kube-proxy", "--timeout=120s")
    after = stage.kubectl("get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-proxy", "--output=name").split()
    assert not set(pods) & set(after)
    assert json.loads(stage.haplane("up", str(path), "--yes", "--json"))["changed"] is False
