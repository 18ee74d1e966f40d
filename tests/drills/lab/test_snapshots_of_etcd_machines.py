"""etcd on machines of its own: they take the snapshots, and never hold a key of Kubernetes."""

import json

import pytest

from haplane.config.load import load_inventory
from haplane.domain import host_paths
from haplane.pki.cluster_identity import IDENTITY_PATHS
from haplane.remote.openssh import attempt, read_files
from haplane.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.soak]

INVENTORY = "inventories/lab_external_etcd.py"
INTERVAL = 20
PLACES = ("/etc", "/var/lib/haplane", "/var/log", "/var/tmp", "/opt", "/root", "/run", "/tmp", "/usr/local/etc")
ALLOWED = f"{host_paths.SIGNING_STEM}.key"
"""Members sign what they take."""


@pytest.fixture
def external(lab, tmp_path, monkeypatch):
    """Its inventory, its hosts up, scheduled into no bucket; removed at the end."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    recipient = json.loads(lab.haplane("keys", "new", str(tmp_path / "identity"), "--json"))["recipient"]
    lab.haplane("keys", "check", str(tmp_path / "identity"))
    path = tmp_path / "lab.py"
    setting = {"recipients": [recipient], "interval_seconds": INTERVAL}
    path.write_text(f'{(lab.root / INVENTORY).read_text()}\ncluster["snapshots"] = {setting!r}\n')
    try:
        lab.haplane("lab", "up", str(path))
        lab.haplane("up", str(path), "--yes")
        yield path
    finally:
        lab.haplane("lab", "down", str(path))


def secrets_of(master):
    """Lines that are in private files of the cluster alone, but for the key that members may have."""
    files = read_files(master, [path for path in IDENTITY_PATHS if host_paths.is_private(path) and path != ALLOWED])
    lines = {line.strip() for content in files.values() for line in content.splitlines()}
    return sorted(line for line in lines if len(line) > 30 and b"-----" not in line)


def holding(host, secrets):
    """The files on the host in which one of them is; they are given on standard input and written nowhere."""
    command = ("grep", "--recursive", "--files-with-matches", "--fixed-strings", "--file=-", *PLACES)
    return attempt(host, *command, stdin=b"\n".join(secrets)).stdout.decode().split()


def test_a_machine_that_is_only_etcd_holds_no_key_of_kubernetes(lab, external, tmp_path):
    inventory = load_inventory(external)
    secrets = secrets_of(inventory.masters[0])
    assert f"{host_paths.KUBERNETES_CA_STEM}.key" in holding(inventory.masters[0], secrets), (
        "the search finds nothing"
    )

    def good():
        words = ("snapshot", "list", str(external), "--json")
        return [one for one in json.loads(lab.haplane(*words, codes=(0, 6)))["snapshots"] if one["verified"]]

    wait_until(lambda: len(good()) >= 2, 10 * INTERVAL, "two good snapshots", every=2.0)
    assert {one["manifest"]["member"] for one in good()} <= {host.name for host in inventory.etcd}
    for member in inventory.etcd:
        assert holding(member, secrets) == []
        assert read_files(member, ["/etc/haplane/sealed-keys.age"])
    verified = lab.haplane("snapshot", "verify", str(external), "--identity", str(tmp_path / "identity"), "--json")
    assert json.loads(verified)["restored"]["key_count"] > 100
