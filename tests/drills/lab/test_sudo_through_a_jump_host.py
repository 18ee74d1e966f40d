"""One master, reached by a user who is not root through a jump host of his ssh_config: up, verified, reset."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from haplane.config.load import load_inventory
from haplane.lab.paths import client_key, known_hosts
from haplane.remote.openssh import ssh_command

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[3]
INVENTORY = """
masters = ([("s1", {{"address": "10.89.7.21"}})], {{
    "ssh_user": "operator",
    "_sudo": True,
    "ssh_key": "{key}",
    "ssh_config_file": "ssh_config",
    "ssh_known_hosts_file": "{known_hosts}",
    "ssh_strict_host_key_checking": "yes",
}})
cluster = {{
    "name": "single",
    "endpoint": "10.89.7.10:8443",
    "allow_single_master": True,
    "masters_run_pods": True,
    "flannel_backend": "host-gw",
    "package_directory": "~/.cache/haplane/lab/packages",
    "tuning": "nested",
    "lab": {{
        "network": "10.89.7.0/24",
        "gateway": "10.89.7.1",
        "bridge": "haplane7",
        "extra_hosts": {{"jump": "10.89.7.5"}},
    }},
}}
"""
SSH_CONFIG = """
Host 10.89.7.5
    User operator
    IdentityFile {key}
    UserKnownHostsFile {known_hosts}
Host 10.89.7.21
    ProxyJump 10.89.7.5
    UserKnownHostsFile {known_hosts}
"""


SUDOERS = "/etc/sudoers.d/operator"


def haplane(*words, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "haplane", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, f"haplane {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr if code else done.stdout


def as_root(inventory, *command):
    """By another way than the inventory's: as root, not through sudo."""
    host = load_inventory(inventory).masters[0]
    root = host.ssh.model_copy(update={"user": "root", "sudo": False})
    subprocess.run(ssh_command(host.model_copy(update={"ssh": root}), *command), check=True)


@pytest.fixture(scope="module")
def inventory(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("single")
    places = {"key": client_key(), "known_hosts": known_hosts()}
    (tmp_path / "ssh_config").write_text(SSH_CONFIG.format(**places))
    path = tmp_path / "single.py"
    path.write_text(INVENTORY.format(**places))
    haplane("lab", "up", str(path))
    yield str(path)
    haplane("lab", "down", str(path))


def test_one_master_through_sudo_and_a_jump_host(inventory):
    document = json.loads(haplane("up", inventory, "--yes", "--json"))
    assert document["status"]["healthy"], document["status"]["problems"]
    assert document["status"]["etcd"]["quorum"] == {"voters": 1, "healthy": 1, "needed": 1, "can_lose": 0}
    haplane("verify", inventory)
    assert json.loads(haplane("up", inventory, "--yes", "--json"))["changed"] is False

    haplane("reset", inventory, "--confirm", "another", code=2)
    haplane("reset", inventory, "--confirm", "single")
    assert '"uid": null' in haplane("status", inventory, "--json", code=6)
    dry = json.loads(haplane("up", inventory, "--dry-run", "--json"))
    assert "form the etcd cluster" in " ".join(dry["plan"])


def test_sudo_that_asks_for_a_password_is_refused_with_the_line_that_cures_it(inventory):
    as_root(inventory, "mv", SUDOERS, "/root/sudoers")
    said = haplane("up", inventory, "--yes", code=3)
    assert "operator ALL=(ALL) NOPASSWD: ALL" in said
    as_root(inventory, "mv", "/root/sudoers", SUDOERS)
