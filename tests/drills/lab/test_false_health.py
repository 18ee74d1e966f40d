"""What a user would call broken is not called healthy: status names it, and the command that it names repairs it."""

import re

import pytest

from haplane.bundle.manifest import default_directory, load_manifest
from haplane.waiting import wait_until

pytestmark = pytest.mark.lab

KUBECTL = "kubectl --kubeconfig=/etc/kubernetes/admin.conf"
ON_HOST = re.compile(r"fix: on (\w+): `([^`]*)`")
ANYWHERE = re.compile(r"`(kubectl delete [^`]*)`")
WEBHOOK = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: nobody-there}
webhooks:
  - name: pods.nobody-there.example.org
    failurePolicy: Fail
    sideEffects: None
    timeoutSeconds: 3
    admissionReviewVersions: [v1]
    clientConfig: {service: {namespace: nobody, name: there}}
    namespaceSelector:
      matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [kube-system]}]
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods]}]
"""

BY_HAND = {
    "m1": f"""
{KUBECTL} apply -f - <<'END'
{WEBHOOK}
END
{KUBECTL} delete namespace kube-flannel --timeout=60s
{KUBECTL} --namespace=kube-public delete configmap cluster-info
{KUBECTL} --namespace=kube-system delete configmap kubelet-config
{KUBECTL} --namespace=kube-system patch configmap kube-proxy --type=merge --patch='{{"data": {{"config.conf": ""}}}}'
{KUBECTL} delete node m3
""",
    "m2": """
cd /etc/kubernetes/manifests
cp -p kube-apiserver.yaml kube-apiserver.yaml.bak-20261128
mkdir -p /etc/systemd/system/kubelet.service.d
printf '[Service]\\nEnvironment=SOMEBODY=here\\n' > /etc/systemd/system/kubelet.service.d/10-somebody.conf
systemctl daemon-reload
echo '{}' > /etc/cni/net.d/05-somebody.conflist
""",
    "m3": """
nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
""",
}
AFTERWARDS = {
    "m2": "rm -rf /etc/systemd/system/kubelet.service.d /root/*somebody*; systemctl daemon-reload",
    "m3": "nft delete table ip filter",
}
NAMED = (
    "nobody-there",
    "kube-public/configmaps/cluster-info",
    "kube-system/configmaps/kube-proxy",
    "m3: its Node object is missing",
    "/etc/kubernetes/manifests/kube-apiserver.yaml.bak-20261128 defines another kube-apiserver",
    "10-somebody.conf",
    "05-somebody.conflist",
    "m3: the packet filter drops what pods send",
)


PROBE = """
apiVersion: v1
kind: Pod
metadata: {name: probe, namespace: default}
spec:
  terminationGracePeriodSeconds: 0
  automountServiceAccountToken: false
  tolerations: [{operator: Exists}]
  containers: [{name: pause, image: "PAUSE", imagePullPolicy: IfNotPresent}]
"""


def on(lab, name, script):
    done = lab.run(name, script)
    assert done.returncode == 0, f"{name}: {done.stdout}\n{done.stderr}"
    return done.stdout


def problems(lab):
    return "\n".join(lab.status()["problems"])


@pytest.mark.soak
def test_what_is_broken_is_named_and_the_commands_that_are_named_repair_it(lab):
    try:
        for name, script in BY_HAND.items():
            on(lab, name, script)
        found = problems(lab)
        assert [words for words in NAMED if words not in found] == [], found
        assert "defines another kube-apiserver" in lab.fails("up", lab.path, "--yes", code=4)
        for name, command in dict.fromkeys(ON_HOST.findall(found)):  # two lines may have one cause
            on(lab, name, command)
        for command in dict.fromkeys(ANYWHERE.findall(found)):
            on(lab, "m1", f"export KUBECONFIG=/etc/kubernetes/admin.conf; {command}")
        plan = lab.haplane("up", lab.path, "--yes")
        assert "lab is up" in plan
        assert lab.status()["problems"] == []
        assert lab.kubectl("get", "node", "m3", "-o", "name") == "node/m3"
        with_network = lab.kubectl("get", "pods", "-n", "kube-flannel", "-o", "jsonpath={.items[*].spec.nodeName}")
        assert set(lab.masters) <= set(with_network.split())
    finally:
        for name, script in AFTERWARDS.items():
            lab.run(name, script)


@pytest.mark.soak
def test_components_that_reach_no_api_server_are_named_and_up_gives_them_the_right_address(lab):
    for name in lab.masters:
        on(lab, name, """
for name in scheduler controller-manager; do
    sed -i 's#server: https://.*#server: https://192.0.2.1:6443#' /etc/kubernetes/$name.conf
    pkill -x "$(printf %.15s kube-$name)"
done
""")  # fmt: skip
    wanted = "kube-controller-manager and kube-scheduler cannot use the API server (https://192.0.2.1:6443"
    wait_until(lambda: wanted in problems(lab), 30, "status names them")
    lab.haplane("up", lab.path, "--yes", codes=(0, 6))
    lab.wait_until_healthy()
    probe = PROBE.replace(
        "PAUSE", load_manifest(default_directory(lab.inventory.cluster.kubernetes_version)).reference("pause")
    )
    on(lab, "m1", f"{KUBECTL} apply -f - <<'END'\n{probe}\nEND")
    on(lab, "m1", f"{KUBECTL} wait --for=condition=Ready pod/probe --timeout=60s; {KUBECTL} delete pod probe")


@pytest.mark.soak
def test_a_rebuilt_master_without_a_pod_network_is_not_called_done(lab):
    on(lab, "m1", f"{KUBECTL} apply -f - <<'END'\n{WEBHOOK}\nEND")
    for verb in ("kill", "wipe", "start"):
        lab.haplane("lab", verb, lab.path, "m2")
    wait_until(lambda: lab.run("m2", "true").returncode == 0, 60, "m2 is back")
    lab.haplane("node", "repair", lab.path, "m2", "--yes", codes=(6,))
    found = problems(lab)
    assert "kube-flannel/flannel: no pod on m2" in found
    (command,) = ANYWHERE.findall(found)
    on(lab, "m1", f"export KUBECONFIG=/etc/kubernetes/admin.conf; {command}")
    lab.wait_until_healthy()


def changed_inventory(lab, directory, setting):
    """The lab's inventory with one setting more."""
    path = directory / "changed.py"
    text = (lab.root / lab.path).read_text()
    path.write_text(text.replace("cluster = {", f"cluster = {{\n    {setting}", 1))
    return path


@pytest.mark.soak
def test_a_hosts_proxy_gets_into_nothing(lab, tmp_path):
    """As company images have it; the short NO_PROXY leaves out the cluster's own addresses."""
    changed = changed_inventory(lab, tmp_path, '"node_monitor_grace_seconds": 47,')
    variables = "".join(f"{name}=http://10.89.0.1:9\\n" for name in ("HTTP_PROXY", "HTTPS_PROXY", "https_proxy"))
    for name in lab.masters:
        on(lab, name, f"printf '{variables}' >> /etc/environment")
    try:
        assert lab.host("m1").check_output("printenv HTTPS_PROXY") == "http://10.89.0.1:9"
        lab.haplane("up", changed, "--yes")
        for name in lab.masters:
            found = lab.run(name, "grep -ci _proxy /etc/kubernetes/manifests/*.yaml").stdout
            assert found.count(":0") == 3, found
        pods = on(lab, "m1", f"NO_PROXY='*' {KUBECTL} get daemonset kube-proxy -n kube-system -o yaml")
        assert "HTTPS_PROXY" not in pods.upper()
    finally:
        for name in lab.masters:
            lab.run(name, "sed -i '/_proxy=/Id' /etc/environment")
        lab.haplane("up", lab.path, "--yes")


MANIFEST = """
apiVersion: example.org/v1
kind: Network
metadata: {name: default}
spec: {encapsulation: VXLAN}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: networks.example.org}
spec:
  group: example.org
  scope: Cluster
  names: {plural: networks, singular: network, kind: Network}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""


@pytest.mark.soak
def test_a_pod_networks_manifest_may_define_a_kind_and_use_it(lab, tmp_path):
    (tmp_path / "network.yaml").write_text(MANIFEST)
    own = changed_inventory(lab, tmp_path, f'"pod_network_manifest": "{tmp_path}/network.yaml",')
    try:
        lab.haplane("up", own, "--yes")
        assert lab.kubectl("get", "networks.example.org", "-o", "name") == "network.example.org/default"
        lab.kubectl("delete", "networks.example.org", "default")
        assert "(networks/default deleted)" in lab.haplane("up", own, "--dry-run")
    finally:
        lab.haplane("up", lab.path, "--yes")
        lab.kubectl("delete", "crd", "networks.example.org")
