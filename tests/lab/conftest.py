"""Inventories of small labs, loaded as a user's would be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from haplane.config.load import load_inventory
from haplane.config.model import Inventory

TEXT = """
_ssh = {{"ssh_key": "~/.cache/haplane/lab/id_ed25519", "ssh_known_hosts_file": "~/.cache/haplane/lab/known_hosts"}}
masters = ([("one", {{"address": "10.89.9.11", "ssh_hostname": "10.89.9.11"}})], _ssh)
cluster = {{
    "name": "testlab",
    "allow_single_master": True,
    "endpoint": "10.89.9.10:7443",
    "tuning": "nested",
    "lab": {lab!r},
}}
"""
LAB: dict[str, object] = {
    "network": "10.89.9.0/24",
    "gateway": "10.89.9.1",
    "bridge": "haplanetest",
    "extra_hosts": {"two": "10.89.9.12"},
    "nat_interface_hosts": ["one"],
    "bare_hosts": ["two"],
}


@pytest.fixture(scope="session")
def small_lab(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Inventory]:
    """Makes inventories of a lab of two hosts, ``one`` (behind a NAT) and ``two`` (bare)."""

    def make(**settings: object) -> Inventory:
        path: Path = tmp_path_factory.mktemp("inventory") / "lab.py"
        path.write_text(TEXT.format(lab=LAB | settings))
        return load_inventory(str(path))

    return make
