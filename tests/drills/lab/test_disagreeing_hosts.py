"""Hosts that are not what the inventory takes them for: each case has its own words, and nothing is changed."""

import json
import re
from contextlib import contextmanager

import pytest

pytestmark = pytest.mark.lab

REFUSED = 4


def refused(lab, inventory=None):
    words = lab.haplane("up", inventory or lab.path, "--yes", "--json", codes=(REFUSED,))
    return str(json.loads(words)["error"])


@contextmanager
def on_host(lab, name, do, undo):
    assert lab.run(name, do).returncode == 0
    try:
        yield
    finally:
        done = lab.run(name, undo)
        assert done.returncode == 0, done.stderr


@pytest.mark.soak
def test_a_master_of_another_cluster_is_named(lab):
    do = """
cp -a /etc/kubernetes /root/aside
cd /etc/kubernetes/pki
for file in ca.crt ca.key front-proxy-ca.crt front-proxy-ca.key sa.key sa.pub etcd/ca.crt etcd/ca.key; do
    echo other >> $file
done
cd ../haplane
for file in encryption.yaml signing.key signing.pub; do echo other >> $file; done
"""
    undo = "cp -a /root/aside/. /etc/kubernetes/ && rm -r /root/aside"
    with on_host(lab, "m3", do, undo):
        said = refused(lab)
    assert "m1, m2 / m3: installed as different clusters" in said
    assert f"haplane reset {lab.path} m3" in said
    lab.haplane("up", lab.path, "--yes")  # files that were put back are newer than what has read them


def test_one_key_that_differs_is_told_from_another_cluster(lab):
    path = "/etc/kubernetes/pki/sa.key"
    with on_host(lab, "m2", f"cp -a {path} /root/key; echo >> {path}", f"mv /root/key {path}"):
        said = refused(lab)
    assert f"{path} differs between masters of one cluster" in said
    assert "haplane reset" not in said


@pytest.mark.soak
def test_a_stale_data_directory_is_named(lab):
    """As after a restore that one member slept through: the same authority, another cluster's data."""
    make = """
systemctl stop etcd
mv /var/lib/etcd/member /root/member
etcdutl snapshot restore /root/stale.db --data-dir /root/stale --name m3 --initial-cluster m3=https://127.0.0.1:1 \\
    --initial-advertise-peer-urls https://127.0.0.1:1 --initial-cluster-token other
mv /root/stale/member /var/lib/etcd/member
"""
    take = (
        "etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt "
        "--cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key "
        "snapshot save /root/stale.db\n"
    )
    undo = "rm -r /var/lib/etcd/member /root/stale*; mv /root/member /var/lib/etcd/member; systemctl start etcd"
    with on_host(lab, "m3", take + make, undo):
        said = refused(lab)
    assert "m3 holds etcd data of another cluster" in said


@pytest.fixture
def other(lab, tmp_path):
    """The lab's inventory with replaced text."""

    def replaced(*pairs):
        text = (lab.root / lab.path).read_text()
        for old, new in pairs:
            assert re.search(old, text)
            text = re.sub(old, new, text)
        path = tmp_path / "other.py"
        path.write_text(text)
        return str(path)

    return replaced


@pytest.mark.soak
def test_exchanged_addresses_and_a_moved_name_are_told(lab, other):
    exchanged = other((r'_host\("m1", 21\), _host\("m2", 22\)', '_host("m1", 22), _host("m2", 21)'))
    said = refused(lab, exchanged)
    assert "m1 is the host that was installed as m2" in said
    assert "m2 is the host that was installed as m1" in said
    moved = other(
        (r'\("m3", 23\)', '("m3", 29)'), (r'"ssh_hostname": address', '"ssh_hostname": address.replace(".29", ".23")')
    )
    old = str(lab.inventory.host("m3").address)
    new = old.replace(".23", ".29")
    with on_host(lab, "m3", f"ip address add {new}/24 dev eth0", f"ip address del {new}/24 dev eth0"):
        assert f"m3 was installed at {old}, but the inventory has {new}" in refused(lab, moved)
    assert f"no interface has {new}" in refused(lab, moved)
