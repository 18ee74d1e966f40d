"""The Vagrantfile and its inventory name the same machines, and Vagrant accepts it. No box was started by us."""

import os
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


@pytest.mark.skipif(shutil.which("ruby") is None, reason="apt-get install ruby")
def test_it_is_ruby() -> None:
    subprocess.run(["ruby", "-c", str(VAGRANTFILE)], check=True, timeout=60)


def validate(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["vagrant", "validate", *options],
        cwd=VAGRANTFILE.parent,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


needs_vagrant = pytest.mark.skipif(shutil.which("vagrant") is None, reason="apt-get install vagrant vagrant-libvirt")


@needs_vagrant
def test_vagrant_accepts_it_with_libvirts_settings() -> None:
    done = validate(VAGRANT_DEFAULT_PROVIDER="libvirt", HAPLANE_VAGRANT_DEBIAN="13")
    if "provider 'libvirt' could not be found" in done.stderr:
        pytest.skip("apt-get install vagrant-libvirt")
    assert done.returncode == 0, done.stderr


@needs_vagrant
def test_vagrant_refuses_another_debian_by_name() -> None:
    refused = validate("--ignore-provider", HAPLANE_VAGRANT_DEBIAN="11")
    assert refused.returncode != 0
    assert "HAPLANE_VAGRANT_DEBIAN=11: write 12 or 13" in refused.stderr
