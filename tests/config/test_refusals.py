"""Each refusal names file, field, value and remedy, and ends with exit code 2."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage
import pytest

from haplane.config.load import load_inventory
from haplane.errors import BadInput, Problems

IDENTITY = str(pyrage.x25519.Identity.generate())
RECIPIENT = str(pyrage.x25519.Identity.generate().to_public())


def hosts(*numbers: int, prefix: str = "m", **data: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{prefix}{number}", {"address": f"10.0.0.{20 + number}"} | data) for number in numbers]


def cluster(**settings: Any) -> dict[str, Any]:
    return {"cluster": settings}


def snapshots(**settings: Any) -> dict[str, Any]:
    return cluster(snapshots={"recipients": [RECIPIENT]} | settings)


def lab(**settings: Any) -> dict[str, Any]:
    return cluster(lab={"network": "10.0.0.0/24", "gateway": "10.0.0.1"} | settings)


REFUSALS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    # name: (what is changed in a sound inventory, field, value, remedy)
    "no masters": ({"masters": []}, "masters", "there are none", "write masters = ["),
    "one master": ({"masters": hosts(1)}, "masters", "= 1", 'cluster["allow_single_master"] = True'),
    "two masters": ({"masters": hosts(1, 2)}, "masters", "= 2", "list 3 or 5 masters"),
    "four masters": ({"masters": hosts(1, 2, 3, 4)}, "masters", "= 4", "list 3 or 5 masters"),
    "seven masters": ({"masters": hosts(*range(1, 8))}, "masters", "= 7", "list 3 or 5 masters"),
    "even etcd": ({"etcd": hosts(11, 12, prefix="e")}, "etcd", "= 2", "list 3, 5 or 7 etcd hosts"),
    "one etcd": ({"etcd": hosts(11, prefix="e")}, "etcd", "= 1", "list 3, 5 or 7 etcd hosts"),
    "etcd on some masters": (
        {"etcd": ["m1", "m2", *hosts(11, prefix="e")]},
        "etcd",
        '"e11, m1, m2"',
        "leave etcd out",
    ),
    "duplicate name": ({"masters": hosts(1, 2, 3, 1)}, "masters", '"m1"', "a name of its own"),
    "duplicate address": (
        {"masters": [*hosts(1, 2), ("m3", {"address": "10.0.0.22"})]},
        "masters: m3: address",
        "10.0.0.22",
        "each host needs an address",
    ),
    "two ways to be root": (
        {"masters": hosts(1, 2, 3, _sudo=True, _doas=True)},
        "masters: m1: _doas",
        "_sudo is True as well",
        "set one of the two",
    ),
    "two names of one machine": (
        {"masters": [*hosts(1, 2), ("m3", {"address": "10.0.0.23", "ssh_hostname": "10.0.0.22"})]},
        "masters: m3: ssh_hostname",
        '"10.0.0.22"',
        "its own ssh_hostname",
    ),
    "master as worker": ({"workers": ["m1"]}, "workers", '"m1"', 'cluster["masters_run_pods"]'),
    "groups contradict": (
        {"etcd": [(f"m{n}", {"ssh_port": 2200}) for n in (1, 2, 3)], "masters": (hosts(1, 2, 3), {"ssh_port": 22})},
        "etcd: m1: ssh_port",
        "2200",
        "use the same value in both",
    ),
    "bad host name": ({"masters": [*hosts(1, 2), "M_3"]}, "masters: M_3", '"M_3"', "use 1-63 lower-case letters"),
    "localhost": ({"masters": [*hosts(1, 2), "localhost"]}, "masters: localhost", '"localhost"', "a name of its own"),
    "bad address": (
        {"masters": [*hosts(1, 2), ("m3", {"address": "10.0.0.300"})]},
        "masters: m3: address",
        '"10.0.0.300"',
        "four numbers of 0-255",
    ),
    "loopback address": (
        {"masters": [*hosts(1, 2), ("m3", {"address": "127.0.0.1"})]},
        "masters: m3: address",
        "127.0.0.1",
        "the host's address in the cluster's network",
    ),
    "no address": ({"masters": [*hosts(1, 2), "m3"]}, "masters: m3: address", "is missing", "add it"),
    "endpoint is a host": (
        cluster(endpoint="10.0.0.21:6443"),
        'cluster["endpoint"]',
        "10.0.0.21:6443",
        "a free address",
    ),
    "endpoint is a name": (
        cluster(endpoint="api.example.org"),
        'cluster["endpoint"]',
        '"api.example.org:6443"',
        'cluster["endpoint_is_external"] = True',
    ),
    "endpoint that no host can have": (
        cluster(endpoint="127.0.0.1:6443"),
        'cluster["endpoint"]',
        '"127.0.0.1:6443"',
        "a free address",
    ),
    "endpoint at sshd's port": (
        cluster(endpoint="10.0.0.10:22"),
        'cluster["endpoint"]',
        '"10.0.0.10:22"',
        "like 10.0.0.10:6443",
    ),
    "endpoint is None": (cluster(endpoint=None), 'cluster["endpoint"]', "not ADDRESS:PORT", "write it in quotes"),
    "a domain in which no service fits": (
        cluster(dns_domain=".".join(["a" * 60] * 2) + "x"),
        'cluster["dns_domain"]',
        "too long for a DNS domain",
        "use 121 characters at most",
    ),
    "a domain that is the endpoint's": (
        cluster(dns_domain="example.org", endpoint="api.example.org:6443", endpoint_is_external=True),
        'cluster["dns_domain"]',
        "contains the endpoint's name api.example.org",
        "a domain of the cluster's own",
    ),
    "all checks, and one": (
        cluster(tuning={"ignored_preflight_checks": ["NumCPU", "All"]}),
        'cluster["tuning"]["ignored_preflight_checks"]',
        "kubeadm takes all alone",
        "remove one or the other",
    ),
    "domain is an address": (
        cluster(dns_domain="10.0.0.1"),
        'cluster["dns_domain"]',
        "not a DNS domain",
        "a name like",
    ),
    "field's name in kubelet": (
        cluster(tuning={"kubelet": {"max pods": 1}}),
        'cluster["tuning"]["kubelet"]',
        "max pods",
        "like maxPods",
    ),
    "short interval": (
        snapshots(interval_seconds=8),
        'cluster["snapshots"]["interval_seconds"]',
        "too short",
        "use 10 or more",
    ),
    "endpoint is a number": (cluster(endpoint=6443), 'cluster["endpoint"]', "= 6443", "write it in quotes"),
    "endpoint without port": (cluster(endpoint="10.0.0.10:"), 'cluster["endpoint"]', '"10.0.0.10:"', "write it like"),
    "endpoint out of range": (cluster(endpoint="10.0.0.10:70000"), 'cluster["endpoint"]', "70000", "from 1 to 65535"),
    "endpoint of IPv6": (
        cluster(endpoint="[fd00::1]:6443"),
        'cluster["endpoint"]',
        '"[fd00::1]:6443"',
        "an IPv4 address",
    ),
    "named like another's address": (
        {"masters": [("10.0.0.22", {"address": "10.0.0.21"}), *hosts(2, 3)]},
        "masters: m2: address",
        "the name of one is the address of the other",
        "a name of its own",
    ),
    "external, yet with load balancers": (
        cluster(endpoint_is_external=True),
        'cluster["endpoint_is_external"]',
        "True",
        "remove one of the two",
    ),
    "shared port": ({"load_balancers": []}, 'cluster["endpoint"]', '"10.0.0.10:6443"', "10.0.0.10:8443"),
    "shared port of etcd": (
        {"load_balancers": ["m1"]} | cluster(endpoint="10.0.0.10:2379"),
        'cluster["endpoint"]',
        '"10.0.0.10:2379"',
        "10.0.0.10:8443",
    ),
    "API server on etcd's port": (cluster(apiserver_port=2379), 'cluster["apiserver_port"]', "2379", "use 6443"),
    "overlapping networks": (
        cluster(pod_network="10.96.0.0/12"),
        'cluster["pod_network"]',
        "10.96.0.0/12",
        "networks that share no address",
    ),
    "hosts in pod network": (
        cluster(pod_network="10.0.0.0/16"),
        'cluster["pod_network"]',
        "10.0.0.0/16",
        "a network that contains no host",
    ),
    "endpoint in service network": (
        cluster(endpoint="10.96.0.10:6443"),
        'cluster["service_network"]',
        "10.96.0.0/16",
        "not the endpoint",
    ),
    "service network too small": (
        cluster(service_network="10.96.0.0/27"),
        'cluster["service_network"]',
        "10.96.0.0/27",
        "use /26 or larger",
    ),
    "service network too large": (
        cluster(service_network="11.0.0.0/8"),
        'cluster["service_network"]',
        "11.0.0.0/8",
        "use /12 or smaller",
    ),
    "pod network too small": (
        cluster(pod_network="10.244.0.0/23"),
        'cluster["pod_network"]',
        "10.244.0.0/23",
        "use a larger one",
    ),
    "pods where no host can be": (
        cluster(pod_network="169.254.0.0/16"),
        'cluster["pod_network"]',
        "169.254.0.0/16",
        "use a private one",
    ),
    "groups as Services": (
        cluster(service_network="239.0.0.0/16"),
        'cluster["service_network"]',
        "239.0.0.0/16",
        "use a private one",
    ),
    "network without its prefix length": (
        cluster(pod_network="10.244.0.0"),
        'cluster["pod_network"]',
        '"10.244.0.0"',
        "with its prefix length, like",
    ),
    "host bits in network": (
        cluster(pod_network="10.244.1.0/16"),
        'cluster["pod_network"]',
        '"10.244.1.0/16"',
        "write 10.244.0.0/16",
    ),
    "unknown setting": (
        cluster(pod_netwrok="10.1.0.0/16"),
        'cluster["pod_netwrok"]',
        '"10.1.0.0/16"',
        "pod_network?",
    ),
    "unknown nested setting": (
        cluster(keepalived={"router": 5}),
        'cluster["keepalived"]["router"]',
        "5",
        "router_id?",
    ),
    "unknown host setting": (
        {"masters": hosts(1, 2, 3, ssh_prot=22)},
        "masters: m1: ssh_prot",
        "22",
        "did you mean ssh_port?",
    ),
    "unknown group": ({"mastres": hosts(1)}, "mastres", "(list of 1)", "did you mean masters?"),
    "unknown mapping": ({"clutser": {}}, "clutser", "(dict of 0)", "did you mean cluster?"),
    "unsupported version": (
        cluster(kubernetes_version="1.20.0"),
        'cluster["kubernetes_version"]',
        '"1.20.0"',
        "use 1.35.4, 1.35.8, 1.36.3, 1.36.4, 1.37.2, or a lock of your own",
    ),
    "router id": (
        cluster(keepalived={"router_id": 256}),
        'cluster["keepalived"]["router_id"]',
        "256",
        "from 1 to 255",
    ),
    "no recipient": (snapshots(recipients=[]), 'cluster["snapshots"]["recipients"]', "(list of 0)", "at least one"),
    "malformed recipient": (
        snapshots(recipients=["age1qqqq"]),
        'cluster["snapshots"]["recipients"][0]',
        '"age1qqqq"',
        "haplane keys new",
    ),
    "private identity as recipient": (
        snapshots(recipients=[IDENTITY]),
        'cluster["snapshots"]["recipients"][0]',
        "not shown",
        "public half",
    ),
    "odd interval": (snapshots(interval_seconds=75), 'cluster["snapshots"]["interval_seconds"]', "75", "like 30, 60"),
    "interval across days": (
        snapshots(interval_seconds=172800),
        'cluster["snapshots"]["interval_seconds"]',
        "172800",
        "one that divides 86400",
    ),
    "signing key of another kind": (
        snapshots(signing_key="c2hvcnQ="),
        'cluster["snapshots"]["signing_key"]',
        '"c2hvcnQ="',
        "that `haplane up` printed",
    ),
    "snapshots beside the root": (snapshots(directory="/"), 'cluster["snapshots"]["directory"]', '"/"', "absolute"),
    "snapshots kept nowhere": (
        snapshots(keep_local={"last": 0}),
        'cluster["snapshots"]["keep_local"]["last"]',
        "0",
        "from 1 to",
    ),
    "unknown retention": (
        snapshots(keep_remote={"dayly": 3}),
        'cluster["snapshots"]["keep_remote"]["dayly"]',
        "3",
        "did you mean daily?",
    ),
    "credentials in the inventory": (
        snapshots(s3={"bucket": "etcd", "secret_access_key": "hunter2"}),
        'cluster["snapshots"]["s3"]["secret_access_key"]',
        "not shown",
        "an inventory holds no secrets",
    ),
    "credentials in the endpoint": (
        snapshots(s3={"bucket": "etcd", "endpoint_url": "https://me:hunter2@s3"}),
        'cluster["snapshots"]["s3"]["endpoint_url"]',
        "not shown",
        "write the URL without",
    ),
    "bucket": (snapshots(s3={"bucket": "Et/cd"}), 'cluster["snapshots"]["s3"]["bucket"]', '"Et/cd"', "3-255"),
    "prefix": (
        snapshots(s3={"bucket": "etcd", "prefix": "/x/../y"}),
        'cluster["snapshots"]["s3"]["prefix"]',
        '"/x/../y"',
        "without a / around",
    ),
    "command for a shell": (
        snapshots(on_failure={"command": ["sh", "-c", "$(id)"]}),
        'cluster["snapshots"]["on_failure"]["command"][2]',
        '"$(id)"',
        "no shell reads it",
    ),
    "metacharacter in user": (
        {"masters": hosts(1, 2, 3, ssh_user="root;reboot")},
        "masters: m1: ssh_user",
        '"root;reboot"',
        "the name that you log in with",
    ),
    "metacharacter in path": (cluster(bundle="/x/$(id)"), 'cluster["bundle"]', '"/x/$(id)"', "use a path of letters"),
    "newline in path": (
        {"masters": hosts(1, 2, 3, ssh_key="a\nb")},
        "masters: m1: ssh_key",
        r'"a\nb"',
        "use a path of letters",
    ),
    "metacharacter in kubelet setting": (
        cluster(tuning={"kubelet": {"maxPods": "`id`"}}),
        'cluster["tuning"]["kubelet"]',
        "maxPods has characters",
        "use letters",
    ),
    "deep kubelet setting": (
        cluster(tuning={"kubelet": {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}}),
        'cluster["tuning"]["kubelet"]',
        "f is not a string",
        "write one of these",
    ),
    "labels as a list": (
        {"masters": hosts(1, 2, 3, labels=["disktype=ssd"])},
        "masters: m1: labels",
        "(list of 1)",
        'write it like {"disktype": "ssd"}',
    ),
    "label of the kubelet": (
        {"masters": hosts(1, 2, 3, labels={"kubernetes.io/arch": "arm64"})},
        "masters: m1: labels",
        "set by Kubernetes",
        "remove it",
    ),
    "kubelets that could not report in time": (
        cluster(node_monitor_grace_seconds=15),
        'cluster["node_monitor_grace_seconds"]',
        "15",
        "use 20 or more",
    ),
    "unknown tuning": (cluster(tuning="nestled"), 'cluster["tuning"]', '"nestled"', "use nested"),
    "port in quotes": ({"masters": hosts(1, 2, 3, ssh_port="22")}, "masters: m1: ssh_port", '"22"', "without quotes"),
    "bool in quotes": (
        cluster(masters_run_pods="yes"),
        'cluster["masters_run_pods"]',
        '"yes"',
        "write True or False",
    ),
    "number as address": (
        {"masters": [*hosts(1, 2), ("m3", {"address": 5})]},
        "masters: m3: address",
        "= 5",
        "write it in quotes",
    ),
    "group is a mapping": ({"masters": {"m1": {}}}, "masters", "(dict of 1)", 'write hosts as ("m1"'),
    "group item is a number": ({"masters": [*hosts(1, 2, 3), 5]}, "masters: item 4", "= 5", 'write hosts as ("m1"'),
    "choice": (cluster(proxy_mode="ebpf"), 'cluster["proxy_mode"]', '"ebpf"', "use 'nftables', 'iptables' or 'ipvs'"),
    "lab host outside its network": (
        lab(extra_hosts={"w1": "10.0.1.5"}),
        'cluster["lab"]["extra_hosts"]["w1"]',
        "10.0.1.5",
        "use one of that network",
    ),
    "lab gateway is a host": (lab(gateway="10.0.0.21"), 'cluster["lab"]["gateway"]', "10.0.0.21", "a free address"),
    "lab names no host": (lab(bare_hosts=["lb9"]), 'cluster["lab"]["bare_hosts"]', '"lb9"', "did you mean lb"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refused(name: str, write: Callable[..., Path]) -> None:
    changes, field, value, remedy = REFUSALS[name]
    path = write(**changes)
    with pytest.raises(Problems) as caught:
        load_inventory(path)
    assert caught.value.exit_code == 2
    wanted = [str(each) for each in caught.value.problems if str(each).startswith(field)]
    assert wanted, str(caught.value)
    message = wanted[0]
    assert str(path) in message
    assert value in message
    assert remedy in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "there are none"),
        ("masters = [", "line 1: '[' was never closed"),
        ("\n\nraise RuntimeError('broken')", "line 3: RuntimeError: broken"),
        ("import nowhere_to_be_found", "line 1: ModuleNotFoundError"),
        ("raise SystemExit('stop')", "SystemExit: stop"),
        ("raise GeneratorExit", "line 1: GeneratorExit"),
        ("class Own(BaseException): pass\nraise Own('x')", "line 2: Own: x"),
        ("\0\1", "is not valid Python: source code"),
        ("def again(): again()\nagain()", "line 1: RecursionError"),
        ("x = '\udcff'", "not valid Python"),
        ("raise ValueError('postgres://me:hunter2@db')", "line 1: ValueError: (its message looks secret"),
        ("class Odd(Exception):\n  def __str__(self): 1/0\nraise Odd", "line 3: Odd:"),
        (None, "no such inventory file"),
    ],
)
def test_a_file_that_is_no_inventory(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "inventory.py"
    if content is not None:
        path.write_text(content, errors="surrogateescape")
    with pytest.raises(BadInput) as caught:
        load_inventory(path)
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert str(path) in message
    assert said in message
    assert "next:" in message
    assert "Traceback" not in message
    assert "hunter2" not in message


def test_all_problems_at_once(write: Callable[..., Path]) -> None:
    path = write(
        masters=[("m1", {"address": "x"}), ("m2", {})],
        cluster={"name": 3, "pod_network": "10.96.0.0/12", "service_network": "10.97.0.0/27"},
        other=[],
    )
    with pytest.raises(Problems) as caught:
        load_inventory(path)
    fields = [str(problem).split(" = ")[0].split(": is")[0] for problem in caught.value.problems]
    assert fields == [
        "other",
        'cluster["name"]',
        "masters: m1: address",
        "masters: m2: address",
        "masters",
        'cluster["service_network"]',
        'cluster["pod_network"]',
    ]


def test_one_mistake_is_reported_once(write: Callable[..., Path]) -> None:
    path = write(masters=(hosts(1, 2, 3), {"ssh_prot": 22}), cluster={"endpoint": "10.0.0.999"})
    with pytest.raises(Problems) as caught:
        load_inventory(path)
    assert len(caught.value.problems) == 2


def test_nothing_that_looks_secret_is_echoed(write: Callable[..., Path]) -> None:
    path = write(
        masters=hosts(1, 2, 3, ssh_password="hunter2", ssh_key_password="hunter2", ssh_key=f"{IDENTITY}\n"),
        cluster={"api_token": "hunter2", "bundle": "https://me:hunter2@mirror"},
    )
    with pytest.raises(Problems) as caught:
        load_inventory(path)
    assert "hunter2" not in str(caught.value)
    assert IDENTITY not in str(caught.value)


def test_what_is_no_file_is_no_inventory(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in ("", tmp_path, tmp_path / "fifo"):
        with pytest.raises(BadInput, match="an inventory is a file"):
            load_inventory(path)


def test_a_mistake_of_a_group_is_named_once(write: Callable[..., Path]) -> None:
    path = write(masters=(hosts(1, 2, 3), {"ssh_port": 70000}))
    with pytest.raises(Problems) as caught:
        load_inventory(path)
    assert [one.what for one in caught.value.problems if "70000" in one.what] == [
        "masters: group data: ssh_port = 70000: out of range"
    ]
