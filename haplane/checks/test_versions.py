"""What runs is the version the inventory and the bundle say, on disk and in memory."""

from __future__ import annotations

import re

from haplane.bundle.manifest import Manifest
from haplane.checks.fleet import Fleet, Machine
from haplane.config.model import Inventory

VERSION = re.compile(r"\bv?(\d+\.\d+\.\d+(?:-[0-9a-z.]+)?)\b")


def version_in(text: str | None) -> str:
    """The first version number in a program's answer, without its ``v``."""
    found = VERSION.search(text or "")
    return found.group(1) if found else "not installed"


def test_kubernetes_programs(node: Machine, inventory: Inventory) -> None:
    """Kubernetes programs are the inventory's version."""
    wanted = inventory.cluster.kubernetes_version
    found = {name: version_in(text) for name, text in node.survey.versions.items() if name.startswith("kube")}
    wrong = [f"{name} is {version}" for name, version in found.items() if version != wanted]
    assert not wrong, f"{', '.join(wrong)}; the inventory says {wanted}"


def test_running_kubelet(node: Machine, fleet: Fleet, inventory: Inventory) -> None:
    """The running kubelet is the inventory's version."""
    running = {told.metadata.name: version_in(told.status.info.kubelet_version) for told in fleet.nodes()}
    assert node.name in running, "the cluster has no node of that name"
    assert running[node.name] == inventory.cluster.kubernetes_version, f"it is {running[node.name]}"


def test_running_apiserver(master: Machine, inventory: Inventory) -> None:
    """The running API server is the inventory's version."""
    told = master.survey.documents.version
    assert told is not None, "it does not tell its version to the administrator"
    assert version_in(told.git_version) == inventory.cluster.kubernetes_version, f"it is {told.git_version}"


def test_etcd(member: Machine, manifest: Manifest) -> None:
    """The etcd program is the bundle's version."""
    found = version_in(member.survey.versions.get("etcd"))
    assert found == manifest.etcd_version.removeprefix("v"), f"it is {found}, the bundle's is {manifest.etcd_version}"
