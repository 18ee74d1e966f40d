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
from haplane.domain import host_paths
from haplane.domain.files import Part
from haplane.errors import HaplaneError
from haplane.render import render

PAUSE = samples.manifest().reference("pause")
GOLDEN = Path(__file__).parent / "golden"
TEMPLATES = sorted((Path(__file__).parents[2] / "templates").glob("*.j2"))


@dataclass(frozen=True)
class Case:
    """One host of one inventory."""

    inventory: Inventory
    host: str

    def files(self) -> dict[str, str]:
        host = self.inventory.host(self.host)
        found = wanted_files(self.inventory, host, interface="eth1", etcd_token="test-0", pause_image=PAUSE)
        found += snapshot_files(self.inventory, host, NO_FILES)
        return {file.path: file.content.decode() for file in found}


STACKED = samples.inventory(workers=1)
SNAPSHOTS = {
    "recipients": ("age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z",),
    "s3": {"bucket": "etcd"},
}
EXTERNAL = samples.inventory(etcd=3, balancers=0, masters_run_pods=True, tuning="nested", snapshots=SNAPSHOTS)
SETTINGS = samples.inventory(
    apiserver_names=["api.example.org", "203.0.113.5"],
    proxy={"https": "http://proxy.example.org:3128", "no_proxy": [".example.org"]},
    registries={"docker.io": {"mirrors": ["https://mirror.example.org"]}},
    tuning={
        "kubelet": {"failSwapOn": False, "clusterDNS": ["10.96.0.10"]},
        "kube_apiserver": {
            "oidc-issuer-url": "https://sso.example.org",
            "oidc-groups-claim": "groups",
            "oidc-required-claim": ["team=ops"],
            "goaway-chance": 0.01,
            "enable-admission-plugins": ["AlwaysPullImages"],
        },
        "kube_scheduler": {"bind-address": "0.0.0.0"},
    },
)
CASES = {
    "master-with-settings": Case(SETTINGS, "m1"),
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


@pytest.mark.parametrize("name", ["m1", "w1"])
def test_a_kubelet_keeps_its_nodes_name_and_address_whatever_becomes_of_the_hosts_name_and_kubeadms_file(name):
    """kubeadm overrides a hostname only where it differs, and writes the file of flags once."""
    host = next(host for host in STACKED.hosts if host.name == name)
    unit = Case(STACKED, name).files()[host_paths.KUBELET_SERVICE]
    (start,) = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    assert start.endswith(f" --hostname-override={name} --node-ip={host.address}")
    assert "EnvironmentFile" not in unit


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
    files = wanted_files(STACKED, host, interface="eth1", etcd_token="", pause_image=PAUSE)
    private = {file.path for file in files if file.part is Part.CONTROL_PLANE}
    private |= {"/etc/systemd/system/kubelet.service", "/etc/cni/net.d/10-flannel.conflist"}
    private |= {"/var/lib/cni/networks/cbr0/lock"}
    assert {file.path for file in files if file.mode == 0o600} == private
    assert not any(file.secret for file in files)


@pytest.mark.parametrize("inventory", [STACKED, EXTERNAL], ids=["stacked", "external etcd"])
def test_hosts_are_asked_for_every_file_they_should_have(inventory):
    asked = request_for(inventory, samples.manifest())["files"]
    assert set(host_paths.MOVED_MANIFESTS.values()) <= set(asked)
    for host in inventory.hosts:
        assert set(Case(inventory, host.name).files()) <= set(asked)


def test_a_pod_network_of_the_users_own():
    inventory = samples.inventory(pod_network_manifest="network.yaml")
    assert cluster_manifest(inventory, samples.manifest(), "kind: List\n") == "kind: List\n"
    assert "/etc/cni/net.d/10-flannel.conflist" not in Case(inventory, "m1").files()


def test_what_a_file_of_the_users_holds_is_never_left_out():
    """Without what was read a cluster would get an empty pod network, or no CA for logins."""
    flags = {"oidc-issuer-url": "https://sso.example.org", "oidc-ca-file": "ca.crt"}
    with pytest.raises(HaplaneError, match="internal error"):
        cluster_manifest(samples.inventory(pod_network_manifest="network.yaml"), samples.manifest())
    with pytest.raises(HaplaneError, match="internal error"):
        Case(samples.inventory(tuning={"kube_apiserver": flags}), "m1").files()


def test_haproxys_socket_and_memory_are_where_its_user_cannot_get_at_them():
    files = CASES["balancer"].files()
    text = files["/etc/haproxy/haproxy.cfg"]
    assert "chroot /var/lib/haproxy\n" in text
    places = re.findall(r"(/run/\S+)", text + files["/etc/haproxy/remember-servers"].split("SOCKETS =")[0])
    assert len(places) == 3
    assert all(place.strip('"').startswith("/run/haplane-haproxy") for place in places)
    drop_in = files["/etc/systemd/system/haproxy.service.d/haplane.conf"]
    assert drop_in.count("=install -d -m 700 /run/haplane-haproxy\n") == 2


def test_keepalived_takes_adverts_of_its_peers_only_and_none_that_a_router_has_forwarded():
    for name in ("balancer", "master-with-external-etcd"):
        text = CASES[name].files()["/etc/keepalived/keepalived.conf"]
        block = re.search(r"unicast_peer \{\n(.*?)\n    \}", text, re.S)
        assert all(re.fullmatch(r" +\S+ min_ttl 255 max_ttl 255", line) for line in block[1].splitlines())
        assert {"check_unicast_src", "unicast_ttl 255"} <= {line.strip() for line in text.splitlines()}
