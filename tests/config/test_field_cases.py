"""Inventories as people have them, each of which its own program takes: names, users, addresses, settings."""

import pytest

from haplane.config.load import load_inventory
from haplane.errors import Problems


def masters(names=("m1", "m2", "m3"), **data):
    return [(name, {"address": f"10.0.0.{20 + number}"} | data) for number, name in enumerate(names, start=1)]


def loaded(write, **changes):
    return load_inventory(write(**changes))


@pytest.mark.parametrize("prefix", ["m", "master-", "a.b.", "0.x-", "n" * 45 + "."])
def test_a_node_has_any_name_that_kubernetes_takes(write, prefix):
    names = tuple(f"{prefix}{number}.example.org" for number in (1, 2, 3))
    assert [host.name for host in loaded(write, masters=masters(names)).masters] == list(names)


@pytest.mark.parametrize("name", ["n" * 64, "a..b", ".a", "a.", "a.-b", "A", "a_b", "a/b", "-a", "localhost"])
def test_a_node_has_no_name_that_kubernetes_or_its_label_refuses(write, name):
    with pytest.raises(Problems):
        loaded(write, masters=masters(("m1", "m2", name)))


@pytest.mark.parametrize(
    "user",
    ["john.doe", "DOMAIN\\user", "svc-k8s@corp.example.org", "Admin", "0x", "k8s$", "DOMAIN\\first last", "jürgen"],
)
def test_a_user_is_one_that_ssh_takes(write, user):
    assert loaded(write, masters=masters(ssh_user=user)).masters[0].ssh.user == user


@pytest.mark.parametrize("user", ["", "-l", "a;b", "a`b", "a\nb", "a -oX", "a'b", "DOMAIN\\"])
def test_a_user_that_ssh_refuses_is_refused(write, user):
    with pytest.raises(Problems):
        loaded(write, masters=masters(ssh_user=user))


@pytest.mark.parametrize(
    "alias",
    ["Prod_Master{}", "prod-{}", "fd00::1{}", "fe80::1{}%eth0", "::{}", "m{}.", "büro{}", "m{}+lan"]
    + ["dc1/m{}", "m{}#a", "#m{}", "m{}!x", "m{}[a]", "m{}*", "=m{}", "dc1/../m{}"],
)
def test_a_host_is_reached_at_whatever_ssh_takes(write, alias):
    hosts = [(f"m{n}", {"address": f"10.0.0.2{n}", "ssh_hostname": alias.format(n)}) for n in (1, 2, 3)]
    assert loaded(write, masters=hosts).masters[0].ssh.hostname == alias.format(1)


@pytest.mark.parametrize(
    "alias",
    ["-oProxyCommand=x", "a b", "a;b", "a@b", "[fd00::1]", "", "ssh://a/b", "$(id)", "a\n", "`id`", "a|b", "a\x1b[0m"]
    + ["a'b", 'a"b', "a\\b", "{a,b}", "a>b", "a\u00a0b", "a" * 254],
)
def test_a_host_that_ssh_would_take_for_something_else_is_refused(write, alias):
    with pytest.raises(Problems):
        loaded(write, masters=[*masters(("m1", "m2")), ("m3", {"address": "10.0.0.23", "ssh_hostname": alias})])


@pytest.mark.parametrize(
    "settings",
    [
        {"apiserver_names": ["api.example.org", "203.0.113.5", "*.k8s.example.org", "fd00::5"]},
        {"etcd": {"quota_backend_bytes": 8 << 30}},
        {"tuning": {"kubelet": {"failSwapOn": False, "memorySwap": {"swapBehavior": "LimitedSwap"}}}},
        {"tuning": {"kubelet": {"allowedUnsafeSysctls": ["net.core.somaxconn"], "clusterDNS": ["10.96.0.10"]}}},
        {"tuning": {"kubelet": {"reservedMemory": [{"numaNode": 0, "limits": {"memory": "1Gi"}}]}}},
        {"tuning": {"kube_apiserver": {"oidc-issuer-url": "https://sso.example.org"}}},
        {"tuning": {"kube_apiserver": {"feature-gates": "A=true", "v": 2, "runtime-config": ["api/all=true"]}}},
        {"tuning": {"kube_apiserver": {"authorization-mode": "Node,RBAC,Webhook", "audit-log-path": "-"}}},
        {"tuning": {"kube_apiserver": {"admission-control-config-file": "/etc/kubernetes/pki/admission.yaml"}}},
        {"tuning": {"kubelet": {"nodeLeaseDurationSeconds": 20}}, "node_monitor_grace_seconds": 10},
        {"tuning": {"kube_scheduler": {"bind-address": "0.0.0.0"}, "kube_controller_manager": {"profiling": True}}},
        {"proxy": {"https": "http://proxy.example.org:3128", "no_proxy": [".example.org"]}},
        {"registries": {"docker.io": {"mirrors": ["https://mirror.example.org"]}, "r.example.org:5000": {"mirrors": ["http://10.0.0.5:80"]}}},
    ],
)  # fmt: skip
def test_settings_are_as_their_own_programs_take_them(write, settings):
    loaded(write, cluster=settings)


def test_labels_are_of_nodes_only(write):
    labelled = loaded(write, masters=masters(labels={"example.org/rack": "a1", "disktype": "ssd", "empty": ""}))
    assert labelled.masters[0].labels == (("disktype", "ssd"), ("empty", ""), ("example.org/rack", "a1"))
    assert hash(labelled.masters[0])
    with pytest.raises(Problems, match="runs no kubelet"):
        loaded(write, load_balancers=[("lb1", {"address": "10.0.0.11", "labels": {"a": "b"}})])
    with pytest.raises(Problems, match="set by Kubernetes or haplane"):
        loaded(write, masters=masters(labels={"kubernetes.io/hostname": "x"}))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pod_network": "172.17.0.0/16"}, "Docker's own network"),
        ({"service_network": "172.16.0.0/12"}, "Docker's own network"),
        ({"proxy": {}}, "names no proxy"),
        ({"proxy": {"https": "http://me:hunter2@proxy"}}, "user name or password"),
        ({"registries": {"docker.io": {"mirror": []}}}, "did you mean mirrors?"),
        ({"tuning": {"kube_apiserver": {"etcd-servers": "https://x"}}}, "is not for an inventory"),
        ({"tuning": {"kube_apiserver": {"--v": 2}}}, "without the dashes"),
        ({"tuning": {"kube_apiserver": {"oidc-client-id": "x"}}}, "without oidc-issuer-url"),
        ({"tuning": {"kube_scheduler": {"v": "2\n- --x"}}}, "on one line"),
        ({"tuning": {"kube_controller_manager": {"cluster-cidr": "10.0.0.0/8"}}}, "addresses and networks"),
        ({"tuning": {"kube_apiserver": {"authorization-mode": "RBAC"}}}, "without Node and RBAC"),
        ({"tuning": {"kube_apiserver": {"authorization-mode": "Node,RBAC,AlwaysAllow"}}}, "everybody has"),
        ({"tuning": {"kube_apiserver": {"token-auth-file": "/etc/tokens.csv"}}}, "pod has no such file"),
        ({"tuning": {"kubelet": {"staticPodPath": "/x"}}}, "the control plane's manifests"),
        ({"tuning": {"kubelet": {"clusterDomain": "x"}}}, r'set cluster\["dns_domain"\]'),
        ({"tuning": {"kube_proxy": {"mode": "ipvs"}}}, r'set cluster\["proxy_mode"\]'),
        ({"apiserver_names": ["10.0.0.300"]}, "neither an address nor a DNS name"),
        ({"apiserver_names": ["a_b"]}, "neither an address nor a DNS name"),
    ],
)
def test_what_would_break_the_cluster_is_refused_before_any_host_is_contacted(write, settings, words):
    with pytest.raises(Problems, match=words.replace("?", r"\?")):
        loaded(write, cluster=settings)
