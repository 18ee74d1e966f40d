"""Installed and running programs have the versions of the inventory and the bundle."""

from __future__ import annotations

import re

from haplane.bundle.manifest import Manifest
from haplane.checks.fleet import Fleet, Machine
from haplane.checks.on_host.host_facts import COMMAND_SECONDS, TIMED_OUT
from haplane.config.model import Inventory

MOST_CHARACTERS = 80
VERSION = re.compile(r"\bv?(\d+\.\d+\.\d+(?:-[0-9a-z.]+)?)\b")


def version_in(text: str | None) -> str:
    """The first version number in a program's answer, without its ``v``, or why there is none."""
    if not text:
        return "not installed"
    if text == TIMED_OUT:
        return f"of an unknown version: it did not print one within {COMMAND_SECONDS} s"
    found = VERSION.search(text)
    return found.group(1) if found else text[:MOST_CHARACTERS]


def test_kubernetes_programs(node: Machine, inventory: Inventory) -> None:
    """Kubernetes programs are the inventory's version."""
    wanted = inventory.cluster.kubernetes_version
    found = {name: version_in(text) for name, text in node.facts.versions.items() if name.startswith("kube")}
    wrong = [f"{name} is {version}" for name, version in found.items() if version != wanted]
    assert not wrong, f"{', '.join(wrong)}; the inventory's version is {wanted}"


def test_running_kubelet(node: Machine, fleet: Fleet, inventory: Inventory) -> None:
    """The running kubelet is the inventory's version."""
    running = {found.name: version_in(found.kubelet_version) for found in fleet.nodes()}
    assert node.name in running, "the cluster has no Node object of that name"
    assert running[node.name] == inventory.cluster.kubernetes_version, (
        f"it is {running[node.name]}, not {inventory.cluster.kubernetes_version}"
    )


def test_running_apiserver(master: Machine, inventory: Inventory) -> None:
    """The running API server is the inventory's version."""
    running = master.facts.documents.version
    assert running is not None, "kubectl on this host got no version from the API server"
    assert version_in(running.git_version) == inventory.cluster.kubernetes_version, f"it is {running.git_version}"


def test_etcd(member: Machine, manifest: Manifest) -> None:
    """The etcd program is the bundle's version."""
    found = version_in(member.facts.versions.get("etcd"))
    assert found == manifest.etcd_version.removeprefix("v"), f"it is {found}, the bundle's is {manifest.etcd_version}"
