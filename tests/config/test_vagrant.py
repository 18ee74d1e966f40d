"""The Vagrantfile and its inventory name the same machines. No hypervisor here: it was not run by us."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from haplane.config.load import load_inventory

ROOT = Path(__file__).parents[2]
VAGRANTFILE = ROOT / "vagrant" / "Vagrantfile"


def test_the_same_machines_as_in_the_inventory() -> None:
    machines = re.findall(r'^  "(\w+)" => \{ address: "([\d.]+)"', VAGRANTFILE.read_text(), re.MULTILINE)
    hosts = load_inventory(ROOT / "inventories" / "vagrant.py").hosts
    assert sorted(machines) == sorted((host.name, str(host.address)) for host in hosts)


def test_the_key_is_that_of_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAGRANT_DEFAULT_PROVIDER", "libvirt")
    key = load_inventory(ROOT / "inventories" / "vagrant.py").masters[0].ssh.key
    assert key == str(VAGRANTFILE.parent / ".vagrant/machines/m1/libvirt/private_key")


@pytest.mark.skipif(shutil.which("ruby") is None, reason="not run by us: no ruby")
def test_it_is_ruby() -> None:
    subprocess.run(["ruby", "-c", str(VAGRANTFILE)], check=True, timeout=60)


@pytest.mark.skipif(shutil.which("vagrant") is None, reason="not run by us: no vagrant")
def test_vagrant_accepts_it() -> None:
    command = ["vagrant", "validate", "--ignore-provider"]
    subprocess.run(command, check=True, cwd=VAGRANTFILE.parent, timeout=120)
