"""A changed setting rolls through all masters while clients that never send a request twice see no failure."""

import json
import re
import secrets

import pytest
from lab_cpu import sessions_held_back
from rolling_clients import Clients

from haplane.domain.progress import silent
from haplane.drills.probing.client import Client
from haplane.drills.probing.credentials import administrator
from haplane.drills.probing.writes import make_namespace, remove_namespace
from haplane.waiting import wait_until
from haplane.workflows.prepare import over_ssh

pytestmark = pytest.mark.lab


NOBODYS = """
cd /var/tmp && cp /bin/sleep kube-apiserver && cp /bin/sleep kube-scheduler && chmod 755 kube-apiserver kube-scheduler
for name in kube-apiserver kube-scheduler; do
    setpriv --reuid=65534 --clear-groups setsid "/var/tmp/$name" 987 >/dev/null 2>&1 </dev/null &
done
"""


@pytest.fixture
def nobodys(lab):
    """Processes of an ordinary user, called as the control plane's are."""
    assert lab.run("m2", NOBODYS).returncode == 0
    yield
    assert lab.run("m2", "pkill -u 65534 -f '^/var/tmp/kube-'").returncode == 0, "they were ended"


def containers(lab):
    """(restarts, why it waits if it does) of each of the control plane's, by pod."""
    words = ("get", "pods", "-n", "kube-system", "-l", "tier=control-plane", "--output=json")

    def reported():
        """A mirror pod that a kubelet has just made has no status yet."""
        pods = json.loads(lab.kubectl(*words))["items"]
        return pods if all("containerStatuses" in pod["status"] for pod in pods) else None

    found = {}
    for pod in wait_until(reported, 30, "kubelets report the control plane's containers"):
        [status] = pod["status"]["containerStatuses"]
        found[pod["metadata"]["name"]] = status["restartCount"], status["state"].get("waiting", {}).get("reason")
    return found


@pytest.fixture
def changed(lab, tmp_path):
    """The lab's inventory with other settings."""

    def change(**settings):
        text = (lab.root / lab.path).read_text()
        lines = [f'    "{name}": {value!r},' for name, value in settings.items()]
        path = tmp_path / "lab.py"
        path.write_text(re.sub(r"^cluster = \{$", "\n".join(["cluster = {", *lines]), text, flags=re.M))
        return str(path)

    yield change
    lab.haplane("up", lab.path, "--yes")


@pytest.mark.usefixtures("nobodys")
def test_a_rolling_restart_of_all_masters_fails_no_request(lab):
    """Somebody edited what kubeadm is told: all control planes start anew from what the inventory says.

    Whatever else runs under their names is in nobody's way, and at the end none of them waits in a back-off.
    """
    for master in lab.masters:
        assert lab.run(master, "echo '# by hand' >> /etc/kubernetes/haplane/kubeadm.yaml").returncode == 0
    target = administrator(lab.inventory, over_ssh(silent))
    namespace = f"rolling-{secrets.token_hex(3)}"
    client = Client(target)
    make_namespace(client, namespace)
    try:
        with sessions_held_back(lab.inventory), Clients(target, namespace).at_work(requests=2000) as clients:
            rolled = json.loads(lab.haplane("up", lab.path, "--yes", "--json"))
        after = containers(lab)
    finally:
        remove_namespace(client, namespace)
    assert len(after) == 3 * len(lab.masters)
    assert {waiting for _, waiting in after.values()} == {None}, after
    assert f"{', '.join(lab.masters)}: restart the control plane (its files changed)" in rolled["plan"]
    told = (
        f"{clients.total} requests ({clients.requests}), {len(clients.failures)} failed; "
        f"{clients.connections} HTTP/2 connections, {clients.watches} watches, {len(clients.missed())} events "
        f"missed, longest lag {clients.longest_lag():.2f} s"
    )
    print(told, *clients.slow, sep="\n")
    assert not clients.failures, "\n".join([told, *clients.failures[:20], "slow:", *clients.slow])
    assert not clients.missed()
    assert clients.longest_lag() < 1.0 + 1.0


@pytest.mark.soak
def test_what_only_the_control_plane_reads_leaves_dns_alone(lab, changed):
    pods = ("get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-dns", "--output=name")
    before = lab.kubectl(*pods).split()  # of a new cluster's some may be on their way out
    done = json.loads(lab.haplane("up", changed(unreachable_toleration_seconds=77), "--yes", "--json"))
    assert any("restart the control plane" in line for line in done["plan"])
    assert set(lab.kubectl(*pods).split()) <= set(before)


@pytest.mark.soak
def test_settings_of_kubelets_and_kube_proxy_reach_what_runs(lab, changed):
    """They are read at the start only: kubelets and pods that are older start anew."""
    nested = lab.inventory.cluster.tuning.model_dump()
    kubelet = {**nested["kubelet"], "maxPods": 77}
    proxy = {**nested["kube_proxy"], "configSyncPeriod": "14m0s"}
    tuning = {
        "ignored_preflight_checks": list(nested["ignored_preflight_checks"]),
        "containerd_restrict_oom_score_adj": nested["containerd_restrict_oom_score_adj"],
        "kubelet": kubelet,
        "kube_proxy": proxy,
    }
    text_of = changed(tuning=tuning)
    path = lab.root / text_of
    path.write_text(path.read_text().replace('    "tuning": "nested",', ""))
    pods = lab.kubectl("get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-proxy", "--output=name").split()
    done = json.loads(lab.haplane("up", str(path), "--yes", "--json"))
    assert any("reconfigure the kubelet" in line for line in done["plan"])
    capacity = lab.kubectl("get", "nodes", "--output=jsonpath={.items[*].status.capacity.pods}").split()
    assert capacity == ["77"] * len(lab.masters)
    lab.kubectl("-n", "kube-system", "rollout", "status", "daemonset/kube-proxy", "--timeout=120s")
    after = lab.kubectl("get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-proxy", "--output=name").split()
    assert not set(pods) & set(after)
    assert json.loads(lab.haplane("up", str(path), "--yes", "--json"))["changed"] is False
