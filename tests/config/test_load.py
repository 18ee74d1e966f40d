import json
import os
import subprocess
import sys
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haplane.config.explain import HOST_SETTINGS
from haplane.config.load import load_inventory
from haplane.config.model import Cluster, Inventory, Lab, Tuning
from haplane.errors import BadInput

ROOT = Path(__file__).parents[2]
INVENTORIES = sorted((ROOT / "inventories").glob("*.py"))


STOCK = """
import os, sys
from pyinfra_cli.main import main

for path in sys.argv[1:]:
    if os.fork() == 0:
        sys.argv = ["pyinfra", "--json", path, "debug-inventory"]
        main()
    os.wait()
"""


def test_stock_pyinfra_sees_the_same_hosts() -> None:
    """What pyinfra's command makes of every inventory. It is imported once, because that takes a second."""
    command = [sys.executable, "-c", STOCK, *map(str, INVENTORIES)]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout.splitlines()
    for path, line in zip(INVENTORIES, lines, strict=True):
        seen = {host["name"]: host["data"] for host in json.loads(line)}
        for host in load_inventory(path).hosts:
            data = seen.pop(host.name)
            where = data["address"], data.get("ssh_hostname", data["address"])
            assert where == (str(host.address), host.ssh.hostname), path
            assert (data["ssh_user"], data.get("_sudo", False)) == (host.ssh.user, host.ssh.sudo), path
        assert not seen, path


def test_the_lab() -> None:
    inventory = load_inventory(ROOT / "inventories" / "lab.py")
    assert [host.name for host in inventory.masters] == ["m1", "m2", "m3"]
    assert inventory.etcd == inventory.masters
    assert str(inventory.cluster.endpoint) == "10.89.0.10:6443"
    kubelet = inventory.cluster.tuning.kubelet
    assert (kubelet["cgroupDriver"], kubelet["failCgroupV1"]) == ("cgroupfs", False)
    assert not any("%" in left for left in kubelet["evictionHard"].values())  # its disk is the machine's
    assert inventory.cluster.lab is not None
    assert inventory.cluster.lab.extra_hosts == {
        "w1": IPv4Address("10.89.0.31"),
        "s3": IPv4Address("10.89.0.40"),
    }
    assert inventory.masters[0].ssh.key == str(Path.home() / ".cache/haplane/lab/id_ed25519")


def test_five_masters_and_separate_etcd() -> None:
    assert len(load_inventory(ROOT / "inventories" / "lab5.py").masters) == 5
    external = load_inventory(ROOT / "inventories" / "lab_external_etcd.py")
    assert external.etcd_is_external
    assert external.balancer_hosts == external.masters


def test_host_data_goes_before_group_data_and_is_gathered_from_all_groups(write: Callable[..., Path]) -> None:
    masters = [(f"m{number}", {"address": f"10.0.0.2{number}"}) for number in (1, 2, 3)]
    masters[0][1]["ssh_user"] = "admin"
    path = write(
        masters=(masters, {"ssh_user": "root", "_sudo": True}), etcd=(["m1", "m2", "m3"], {"ssh_port": 2200})
    )
    inventory = load_inventory(path)
    assert [host.ssh.user for host in inventory.masters] == ["admin", "root", "root"]
    assert {host.ssh.port for host in inventory.masters} == {2200}
    assert inventory.etcd == inventory.masters
    assert inventory.masters[0].ssh.sudo


def test_paths_are_relative_to_the_file_and_hostname_defaults_to_the_address(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(cluster={"bundle": "made here/bundle", "pod_network_manifest": "~/pods.yaml"})
    monkeypatch.chdir(path.parent)
    cluster = load_inventory("inventory.py").cluster
    assert cluster.bundle == str(path.parent / "made here/bundle")
    assert cluster.pod_network_manifest == str(Path.home() / "pods.yaml")
    assert load_inventory(path).masters[0].ssh.hostname == "10.0.0.21"


def test_what_the_file_prints_stays_off_stdout(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write()
    path.write_text(path.read_text() + "\nprint('hello')")
    load_inventory(path)
    assert capsys.readouterr() == ("", "hello\n")


def test_what_it_writes_past_pythons_stream_stays_off_stdout_too(
    write: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    path = write()
    path.write_text(path.read_text() + "\nimport os\nos.write(1, b'hello')")
    load_inventory(path)
    os.write(1, b"after")
    assert capfd.readouterr() == ("after", "hello")


def test_one_master_when_asked_for(write: Callable[..., Path]) -> None:
    path = write(masters=[("m1", {"address": "10.0.0.21"})], cluster={"allow_single_master": True})
    assert len(load_inventory(path).etcd) == 1


plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary(max_size=4)
    | st.sampled_from(["m1", "m2", "10.0.0.1", "10.0.0.0/8", "10.0.0.1:80", "nested", "1.35.4", 10**300])
)
keys = (
    st.text(max_size=3) | st.integers() | st.sampled_from(["address", "ssh_port", "ssh_key", "_sudo", "name", "lab"])
)
anything = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=3)
        | st.frozensets(plain, max_size=2)
    ),
    max_leaves=8,
)
member = (
    st.tuples(st.sampled_from(["m1", "m2", "m3"]) | plain, st.dictionaries(keys, anything, max_size=3)) | anything
)
group = st.lists(member, max_size=4)
group = group | st.tuples(group, st.dictionaries(keys, anything, max_size=2)) | anything
names = st.fixed_dictionaries(
    {},
    optional={
        "masters": group,
        "etcd": group,
        "load_balancers": group,
        "workers": group,
        "other": anything,
        "cluster": anything | st.dictionaries(st.sampled_from(sorted(Cluster.model_fields)), anything, max_size=3),
    },
)


def loads_or_refuses(path: Path, names: dict[str, object]) -> None:
    path.write_text(
        "\n".join(["from math import inf, nan", *(f"{name} = {value!r}" for name, value in names.items())])
    )
    try:
        assert isinstance(load_inventory(path), Inventory)
    except BadInput as error:
        assert str(error).encode()  # and it can be printed


fuzzed = settings(max_examples=60, deadline=None)


@fuzzed
@given(names=names)
def test_whatever_a_file_holds_it_loads_or_is_bad_input(
    tmp_path_factory: pytest.TempPathFactory, names: dict[str, object]
) -> None:
    loads_or_refuses(tmp_path_factory.getbasetemp() / "fuzzed.py", names)


@fuzzed
@given(
    setting=st.sampled_from(sorted(Cluster.model_fields)),
    host_setting=st.sampled_from(sorted(HOST_SETTINGS)),
    value=anything | st.dictionaries(st.sampled_from(sorted({*Lab.model_fields, *Tuning.model_fields})), anything),
    host_value=plain,
)
def test_whatever_one_setting_holds_it_loads_or_is_bad_input(
    tmp_path_factory: pytest.TempPathFactory, setting: str, host_setting: str, value: object, host_value: object
) -> None:
    masters = [(f"m{number}", {"address": f"10.0.0.2{number}"}) for number in (1, 2, 3)]
    cluster = {"name": "test", "endpoint": "10.0.0.10:8443", setting: value}
    path = tmp_path_factory.getbasetemp() / "fuzzed.py"
    loads_or_refuses(path, {"masters": masters, "cluster": cluster})
    loads_or_refuses(path, {"masters": (masters, {host_setting: host_value}), "cluster": cluster})


@fuzzed
@given(content=st.binary(max_size=60))
def test_whatever_bytes_a_file_holds_it_is_bad_input(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.py"
    path.write_bytes(content)
    with pytest.raises(BadInput):
        load_inventory(path)


def test_an_inventory_that_everybody_can_write_is_not_run(tmp_path):
    """It is Python: whoever writes to it runs what they like as the operator."""
    ran, file = tmp_path / "ran", tmp_path / "site" / "inventory.py"
    file.parent.mkdir()
    file.write_text(f"import pathlib\npathlib.Path({str(ran)!r}).touch()\n")
    for place, mode in ((file, 0o666), (file.parent, 0o777)):
        before = place.stat().st_mode
        place.chmod(mode)
        with pytest.raises(BadInput, match="everybody on this machine can change this inventory") as refused:
            load_inventory(file)
        assert refused.value.next_step.endswith(f"`chmod o-w {place}`")
        place.chmod(before)
    assert not ran.exists()
    file.parent.chmod(0o1777)
    with pytest.raises(BadInput):
        load_inventory(file)
    assert ran.exists(), "a sticky directory's files are their owners'"


@pytest.mark.parametrize("open_to_all", ["shared", "shared/team"])
def test_nor_is_one_that_everybody_can_replace_further_up_or_where_a_link_leads(tmp_path, open_to_all):
    (tmp_path / "shared" / "team").mkdir(parents=True)
    file, link = tmp_path / "shared" / "team" / "inventory.py", tmp_path / "inventory.py"
    file.write_text("raise RuntimeError\n")
    link.symlink_to(file)
    (tmp_path / open_to_all).chmod(0o777)
    for named in (file, link):
        with pytest.raises(BadInput, match="everybody on this machine can change this inventory") as refused:
            load_inventory(named)
        assert refused.value.where == str(tmp_path / open_to_all)


@pytest.mark.parametrize(
    ("raised", "shown"),
    [
        ("ValueError('AWS_SECRET_ACCESS_KEY=hunter2')", False),
        ("ValueError({'vault_token': 'hunter2'})", False),
        ("__import__('subprocess').CalledProcessError(1, ['login', '--password', 'hunter2'])", False),
        ("KeyError('VAULT_TOKEN')", True),
    ],
)
def test_an_error_of_an_inventory_quotes_no_secret(tmp_path, raised, shown):
    (tmp_path / "inventory.py").write_text(f"raise {raised}\n")
    with pytest.raises(BadInput) as refused:
        load_inventory(tmp_path / "inventory.py")
    assert "hunter2" not in str(refused.value)
    assert ("VAULT_TOKEN" in refused.value.what) == shown


def test_an_inventory_that_goes_elsewhere_takes_nobody_with_it(tmp_path, monkeypatch):
    """Paths in it, and its own, were those of another directory."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "inventories" / "lab.py").read_text() + 'cluster["bundle_lock"] = "lock.toml"\n'
    (tmp_path / "inventory.py").write_text(f"{text}__import__('os').chdir('/')\n")
    assert load_inventory("inventory.py").cluster.bundle_lock == str(tmp_path / "lock.toml")
    assert Path.cwd() == tmp_path
