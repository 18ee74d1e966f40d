"""What keeps real masters from being upgraded, planted all at once: each has its line, and nothing is changed."""

import json
import os
import time

import pytest
from drills.lab.test_upgrade import HOPS, OLD, upgraded

from haplane.bundle.manifest import default_directory

pytestmark = [pytest.mark.lab, pytest.mark.soak]
__all__ = ["upgraded"]

FLAGS = "/etc/systemd/system/kubelet.service.d/90-planted.conf"
PLANT_ON_M2 = f"""
mkdir -p $(dirname {FLAGS})
cat > {FLAGS} <<'END'
[Service]
Environment="PLANTED=--never-was-a-flag=1 --feature-gates=NeverWasAGate=true,CSIServiceAccountTokenSecrets=true"
END
systemctl daemon-reload
"""
LITTLE_LEFT = """
cd /var/lib/haplane && mkdir /root/small
mount -t tmpfs -o size=$(($(du -sm . | cut -f1) + 100))m planted /root/small
cp -a . /root/small && mount --bind /root/small /var/lib/haplane
"""
REMOVE_FROM_M2 = f"rm {FLAGS}; systemctl daemon-reload"
OLD_NODE = json.dumps(
    {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "ancient"}, "spec": {"unschedulable": True}}
)
ANCIENT = "v1.31.0"
OLD_STATUS = json.dumps({"status": {"nodeInfo": {"kubeletVersion": ANCIENT}}})
WEBHOOK = json.dumps(
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "planted"},
        "webhooks": [
            {
                "name": "planted.example.org",
                "clientConfig": {"service": {"namespace": "default", "name": "nobody", "port": 443}},
                "rules": [
                    {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                     "resources": ["daemonsets", "deployments"]}
                ],
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
        ],
    }
)  # fmt: skip
LINES = (
    "kubelet of {version} does not accept the flag --never-was-a-flag",
    "kubelet of {version} does not accept the feature gate NeverWasAGate",
    "ancient: kubelet v1.31.0 would be too old for {version}",
    "validatingwebhookconfiguration planted refuses every request for",
    "m3: too little disk to stage the new version",
    "no snapshot can be taken first: the inventory configures none",
)


@pytest.fixture(scope="module")
def planted(upgraded):
    """All of it on a new cluster in the old version; taken away again."""
    upgraded.anew()
    host = upgraded.host("m1")
    apply = "echo %s | kubectl --kubeconfig=/etc/kubernetes/admin.conf apply -f -"
    host.check_output(apply, OLD_NODE)
    upgraded.kubectl("patch", "node", "ancient", "--subresource=status", "--type=merge", "--patch", OLD_STATUS)
    host.check_output(apply, WEBHOOK)
    assert upgraded.run("m2", PLANT_ON_M2).returncode == 0
    assert upgraded.run("m3", LITTLE_LEFT).returncode == 0
    yield upgraded
    upgraded.run("m3", "umount /var/lib/haplane /root/small")
    upgraded.run("m2", REMOVE_FROM_M2)
    upgraded.kubectl("delete", "validatingwebhookconfiguration", "planted")
    upgraded.kubectl("delete", "node", "ancient")


def running(lab):
    """What an upgrade would replace: containers of the control plane, services, and files of haplane."""
    look = (
        "crictl ps -q --label tier=control-plane | sort; systemctl show etcd kubelet containerd -p MainPID; "
        "find /usr/local/bin /etc/kubernetes /var/lib/haplane/versions -newer /root/looked -type f 2>/dev/null"
    )
    return [lab.run(name, look).stdout for name in lab.masters]


@pytest.mark.skipif(not HOPS, reason="needs the bundle of a newer version")
def test_each_has_its_line_all_at_once_and_nothing_is_changed(planted):
    for name in planted.masters:
        planted.run(name, "touch /root/looked; sleep 1")
    before = running(planted)
    planted.want(HOPS[0])
    began = time.monotonic()
    said = planted.fails("upgrade", planted.file, "--yes", code=4)
    seconds = time.monotonic() - began
    print(f"{seconds:.1f} s\n{said}")
    for line in LINES:
        assert line.format(version=HOPS[0]) in said, said
    assert "CSIServiceAccountTokenSecrets" not in said, "generally available: taken, though no --help names it"
    assert running(planted) == before
    assert planted.versions() - {ANCIENT} == {f"v{OLD}"}


@pytest.mark.skipif(len(HOPS) < 2, reason="needs the bundles of two newer versions")
def test_two_hops_without_the_bundle_between_are_refused(planted, tmp_path):
    """In a cache that has the first and the last alone."""
    cache = tmp_path / "haplane" / "bundles"
    cache.mkdir(parents=True, mode=0o700)
    for version in (OLD, HOPS[-1]):
        (cache / default_directory(version).name).symlink_to(default_directory(version))
    planted.want(HOPS[-1])
    os.environ["XDG_CACHE_HOME"] = str(tmp_path)
    try:
        said = planted.fails("upgrade", planted.file, "--yes", code=2)
    finally:
        del os.environ["XDG_CACHE_HOME"]
    assert f"haplane bundle build --source modules --kubernetes-version {HOPS[0]}" in said
    assert planted.versions() - {ANCIENT} == {f"v{OLD}"}
