"""Every file a host gets, against golden copies. Write them anew with `HAPLANE_GOLDEN=write pytest tests/desired`."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import samples
import yaml
from jinja2 import UndefinedError

from haplane.config.model import Inventory
from haplane.desired.files import etcd_start, join_configuration, kubeadm_configuration, wanted_files
from haplane.desired.hosts import cluster_wants, request_for
from haplane.desired.manifests import cluster_manifest
from haplane.desired.snapshots import NO_FILES, snapshot_files
from haplane.domain.files import Part
from haplane.domain.plan import APISERVER_ASIDE
from haplane.errors import BadInput
from haplane.render import render

GOLDEN = Path(__file__).parent / "golden"
TEMPLATES = sorted((Path(__file__).parents[2] / "templates").glob("*.j2"))


@dataclass(frozen=True)
class Case:
    """One host of one inventory."""

    inventory: Inventory
    host: str

    def files(self) -> dict[str, str]:
        host = self.inventory.host(self.host)
        found = wanted_files(self.inventory, host, interface="eth1", etcd_token="test-0")
        found += snapshot_files(self.inventory, host, NO_FILES)
        return {file.path: file.content.decode() for file in found}


STACKED = samples.inventory(workers=1)
SNAPSHOTS = {
    "recipients": ("age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z",),
    "s3": {"bucket": "etcd"},
}
EXTERNAL = samples.inventory(etcd=3, balancers=0, masters_run_pods=True, tuning="nested", snapshots=SNAPSHOTS)
CASES = {
    "master": Case(STACKED, "m1"),
    "balancer": Case(STACKED, "lb2"),
    "worker": Case(STACKED, "w1"),
    "master-with-external-etcd": Case(EXTERNAL, "m2"),
    "external-etcd": Case(EXTERNAL, "e3"),
}


def compare(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("HAPLANE_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("name", CASES)
def test_every_file_of_a_host_is_as_its_golden_copy(name):
    files = CASES[name].files()
    for path, text in files.items():
        compare(f"{name}/{path.strip('/').replace('/', '_')}", text)
    kept = {path.name for path in (GOLDEN / name).iterdir()}
    assert kept == {path.strip("/").replace("/", "_") for path in files}


def test_what_is_applied_or_lives_for_a_moment_is_as_its_golden_copy():
    compare("flannel.yaml", cluster_manifest(STACKED, samples.manifest()))
    compare(
        "etcd-bootstrap.conf", etcd_start("new", {"m2": "https://10.0.0.22:2380", "m1": "https://10.0.0.21:2380"})
    )
    joining = join_configuration(STACKED, STACKED.workers[0], "abcdef.0123456789abcdef", "sha256:0")
    compare("join.yaml", joining.content.decode())


def test_the_golden_copies_cover_every_template():
    """Each template's literal first line is found in some golden copy."""
    copies = "\n".join(path.read_text() for path in GOLDEN.rglob("*") if path.is_file())
    for template in TEMPLATES:
        literal = max(re.split(r"\{[{%#].*?[}%#]\}|\n", template.read_text()), key=len)
        assert literal in copies, template.name


@pytest.mark.parametrize("template", [path.name for path in TEMPLATES if "{{" in path.read_text()])
def test_a_name_that_nobody_gives_is_an_error(template):
    with pytest.raises(UndefinedError):
        render(template)


@pytest.mark.parametrize("inventory", [STACKED, EXTERNAL], ids=["stacked", "external etcd"])
def test_kubeadms_configuration_is_what_kubeadm_reads(inventory):
    master = inventory.masters[1]
    documents = {
        document["kind"]: document for document in yaml.safe_load_all(kubeadm_configuration(inventory, master))
    }
    assert set(documents) == {
        "InitConfiguration", "ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration",
    }  # fmt: skip
    init, cluster = documents["InitConfiguration"], documents["ClusterConfiguration"]
    assert init["localAPIEndpoint"] == {"advertiseAddress": "10.0.0.22", "bindPort": 6443}
    assert init["nodeRegistration"]["kubeletExtraArgs"] == [{"name": "node-ip", "value": "10.0.0.22"}]
    assert bool(init["nodeRegistration"]["taints"]) is not inventory.cluster.masters_run_pods
    assert cluster["controlPlaneEndpoint"] == str(inventory.cluster.endpoint)
    assert cluster["etcd"]["external"]["endpoints"] == ["https://127.0.0.1:2379"]
    assert cluster["apiServer"]["certSANs"] == ["10.0.0.10", "127.0.0.1", "localhost"]
    for component in ("apiServer", "controllerManager", "scheduler"):
        arguments = cluster[component]["extraArgs"]
        assert all(isinstance(argument["value"], str) for argument in arguments), component
        assert len({argument["name"] for argument in arguments}) == len(arguments)


def test_names_that_yaml_would_take_for_something_else_stay_names():
    master = samples.host("1e3", 21)
    inventory = STACKED.model_copy(update={"masters": (master,), "cluster": samples.inventory(name="null").cluster})
    init, cluster, *_ = yaml.safe_load_all(kubeadm_configuration(inventory, master))
    assert (init["nodeRegistration"]["name"], cluster["clusterName"]) == ("1e3", "null")
    joined = yaml.safe_load(join_configuration(inventory, master, "abcdef.0123456789abcdef", "sha256:0").content)
    assert joined["nodeRegistration"]["name"] == "1e3"


def test_masters_differ_in_nothing_but_their_own_name_and_address():
    texts = [
        kubeadm_configuration(STACKED, master).replace(str(master.address), "ADDRESS").replace(master.name, "NAME")
        for master in STACKED.masters
    ]
    assert len(set(texts)) == 1


def test_masters_that_come_and_go_change_nothing_on_the_others_but_what_balances_them():
    """No restart of what runs there, so that nothing has to be rolled."""
    grown = samples.inventory(masters=5, workers=1)
    for host in (*STACKED.masters, *STACKED.workers):
        assert Case(grown, host.name).files() == Case(STACKED, host.name).files()
    assert cluster_wants(grown, samples.manifest()).applied == cluster_wants(STACKED, samples.manifest()).applied


def test_etcd_units_never_form_a_cluster_by_themselves():
    unit = CASES["master"].files()["/etc/systemd/system/etcd.service"]
    assert "INITIAL_CLUSTER_STATE=existing" in unit
    assert "=new" not in unit


def test_balancers_prefer_different_hosts_and_never_preempt():
    texts = [Case(STACKED, name).files()["/etc/keepalived/keepalived.conf"] for name in ("lb1", "lb2")]
    assert len({re.search(r"priority (\d+)", text)[1] for text in texts}) == 2
    assert all("nopreempt" in text and "state BACKUP" in text for text in texts)


def test_haproxy_serves_the_endpoint_on_balancers_and_etcd_beside_masters_that_have_none():
    path = "/etc/haproxy/haproxy.cfg"
    assert "frontend etcd" not in CASES["balancer"].files()[path]
    assert "bind *:8443" in CASES["master-with-external-etcd"].files()[path]
    assert "bind 127.0.0.1:2379" in CASES["master-with-external-etcd"].files()[path]
    assert path not in CASES["master"].files()


def test_files_of_the_control_plane_are_private_and_what_the_benchmark_wants_so():
    host = STACKED.masters[0]
    files = wanted_files(STACKED, host, interface="eth1", etcd_token="")
    private = {file.path for file in files if file.part is Part.CONTROL_PLANE}
    private |= {"/etc/systemd/system/kubelet.service", "/etc/cni/net.d/10-flannel.conflist"}
    assert {file.path for file in files if file.mode == 0o600} == private
    assert not any(file.secret for file in files)


@pytest.mark.parametrize("inventory", [STACKED, EXTERNAL], ids=["stacked", "external etcd"])
def test_hosts_are_asked_for_every_file_they_should_have(inventory):
    asked = request_for(inventory, samples.manifest())["files"]
    assert APISERVER_ASIDE in asked
    for host in inventory.hosts:
        assert set(Case(inventory, host.name).files()) <= set(asked)


def test_a_pod_network_of_the_users_own(tmp_path):
    own = tmp_path / "network.yaml"
    inventory = samples.inventory(pod_network_manifest=str(own))
    with pytest.raises(BadInput, match="cannot be read") as refusal:
        cluster_manifest(inventory, samples.manifest())
    assert str(own) in refusal.value.where
    own.write_text("kind: List\n")
    assert cluster_manifest(inventory, samples.manifest()) == "kind: List\n"
    assert "/etc/cni/net.d/10-flannel.conflist" not in Case(inventory, "m1").files()
