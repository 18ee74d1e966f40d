"""What others change of applied objects, as a real API server keeps account of it."""

import contextlib
import json
import subprocess

import pytest
import samples
import yaml

from haplane.bundle.image_program import extract_program
from haplane.bundle.manifest import default_directory, load_manifest
from haplane.bundle.unpack import unpack_program
from haplane.desired.manifests import COREDNS_PATCH, cluster_manifest
from haplane.domain.cluster_health import Workloads
from haplane.facts.on_host.record import path_of
from haplane.facts.on_host.workloads import fields_digest, from_api
from haplane.recovery.scratch.api_server import _apiserver
from haplane.recovery.scratch.etcd import scratch_etcd
from haplane.scripts import DIRECTORY
from haplane.supported import DEFAULT_VERSION
from haplane.waiting import wait_until

pytestmark = pytest.mark.bundle

CONFIG = "/api/v1/namespaces/kube-flannel/configmaps/flannel"
FLANNEL = "/apis/apps/v1/namespaces/kube-flannel/daemonsets/flannel"
DNS = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
PLURALS = {
    "Namespace": ("namespaces", False), "ServiceAccount": ("serviceaccounts", True),
    "ConfigMap": ("configmaps", True), "ClusterRole": ("clusterroles", False),
    "ClusterRoleBinding": ("clusterrolebindings", False), "DaemonSet": ("daemonsets", True),
}  # fmt: skip
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: coredns, namespace: kube-system}
spec:
  replicas: 2
  selector: {matchLabels: {k8s-app: kube-dns}}
  template:
    metadata: {labels: {k8s-app: kube-dns}}
    spec: {containers: [{name: coredns, image: coredns, readinessProbe: {httpGet: {path: /ready, port: 8181}}}]}
"""


class Cluster:
    """A real API server without controllers, kubectl, and what the observer makes of them."""

    def __init__(self, client, kubectl, config):
        self.client, self._words = client, (str(kubectl), f"--kubeconfig={config}", "--cache-dir=/dev/null")

    def kubectl(self, *words, stdin=""):
        done = subprocess.run([*self._words, *words], input=stdin, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, paths, accept=None):
        found = {}
        for path in paths:
            with contextlib.suppress(OSError):
                found[path] = self.client.get(path)
        return found

    def record(self, paths):
        objects = json.dumps({path: fields_digest(item) for path, item in self.ask(paths).items()})
        self.kubectl("-n", "kube-system", "delete", "configmap", "haplane", "--ignore-not-found")
        self.kubectl("-n", "kube-system", "create", "configmap", "haplane", f"--from-literal=objects={objects}")

    def look(self):
        return Workloads.model_validate(from_api(self.ask, lambda _: (201, "")))


@pytest.fixture(scope="module")
def cluster(tools, tmp_path_factory):
    directory, bundle = tmp_path_factory.mktemp("cluster"), default_directory(DEFAULT_VERSION)
    manifest = load_manifest(bundle)
    image = next(one.file for one in manifest.images if "kube-apiserver" in one.reference)
    program = directory / "kube-apiserver"
    extract_program(bundle, image, "kube-apiserver", program)
    kubectl = unpack_program(bundle, manifest, "/usr/local/bin/kubectl", directory)
    (directory / "data").mkdir()
    with (
        scratch_etcd(tools, directory / "data") as etcd,
        _apiserver(program, etcd, samples.identity(), tools) as client,
    ):
        user = {"token": client.headers["Authorization"].removeprefix("Bearer ")}
        server = {"server": client.base, "insecure-skip-tls-verify": True}
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": server}], "users": [{"name": "c", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        }  # fmt: skip
        (directory / "config").write_text(json.dumps(config))
        found = Cluster(client, kubectl, directory / "config")
        wait_until(lambda: found.ask(["/api/v1/namespaces/kube-system"]), 60, "the API server has its namespaces")
        yield found


MANIFEST = cluster_manifest(samples.inventory(), samples.manifest())
APPLIED = ("apply", "--server-side", "--force-conflicts", "--field-manager=haplane", "-f", "-")


def test_every_edit_and_deletion_is_noticed_and_nothing_that_is_none(cluster):
    cluster.kubectl(*APPLIED, stdin=MANIFEST)
    cluster.kubectl("apply", "--field-manager=kubeadm", "-f", "-", stdin=DEPLOYMENT)
    patch = ("-n", "kube-system", "patch", "deployment", "coredns", "--type=strategic", f"--patch={COREDNS_PATCH}")
    cluster.kubectl(*patch, "--field-manager=haplane")
    assert (
        "--field-manager=haplane"
        in (DIRECTORY / "apply_cluster.sh").read_text().split("patch deployment coredns")[1][:100]
    )
    paths = [
        path_of(one, dict(zip(("name", "namespaced"), PLURALS[one["kind"]], strict=True)))
        for one in yaml.safe_load_all(MANIFEST)
    ]
    assert {CONFIG, FLANNEL} < set(paths)
    cluster.record([*paths, DNS])
    found = cluster.look()
    assert (found.missing, found.edited, found.recorded) == ((), (), True)
    assert [one.name for one in found.daemon_sets] == ["kube-flannel/flannel"]

    for harmless in (
        ("label", "namespace", "kube-flannel", "team=network"),
        ("-n", "kube-flannel", "annotate", "configmap", "flannel", "note=mine"),
        ("-n", "kube-flannel", "rollout", "restart", "daemonset", "flannel"),
        ("-n", "kube-system", "scale", "deployment", "coredns", "--replicas=3"),
        ("-n", "kube-system", "set", "env", "deployment", "coredns", "GOMAXPROCS=2"),
    ):
        cluster.kubectl(*harmless)
        assert cluster.look().edited == (), harmless

    net = '{"data": {"net-conf.json": "{}"}}'
    cluster.kubectl("-n", "kube-flannel", "patch", "configmap", "flannel", "--type=merge", f"--patch={net}")
    cluster.kubectl("-n", "kube-flannel", "set", "image", "daemonset/flannel", "flannel=other")
    cluster.kubectl("-n", "kube-system", "set", "image", "deployment/coredns", "coredns=other")
    cluster.kubectl("delete", "clusterrolebinding", "flannel")
    found = cluster.look()
    assert set(found.edited) == {CONFIG, FLANNEL, DNS}
    assert [path.rsplit("/", 2)[1:] for path in found.missing] == [["clusterrolebindings", "flannel"]]

    cluster.kubectl(*APPLIED, stdin=MANIFEST)
    assert (cluster.look().edited, cluster.look().missing) == ((DNS,), ())
