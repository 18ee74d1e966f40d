"""What earlier runs have left: settings, restores, old data, snapshots."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
from typing import Any

from haplane.facts.on_host.probe import document, read, size_of
from haplane.facts.on_host.systemd import loaded_unit

ETCD_DATA = "/var/lib/etcd"
OLD_DATA, MOST_OLD_DATA = re.compile(r"aside-[0-9]{8}T[0-9]{6}Z"), 100
VERSIONS = "/var/lib/haplane/versions"
AGENT = "/opt/haplane/agent"
LASTING_SETTINGS = {
    "controlPlaneEndpoint": "endpoint",
    "bindPort": "apiserver_port",
    "podSubnet": "pod_network",
    "serviceSubnet": "service_network",
    "dnsDomain": "dns_domain",
}
APISERVER_MANIFESTS = (
    "/etc/kubernetes/manifests/kube-apiserver.yaml",
    "/etc/kubernetes/haplane/kube-apiserver.yaml",
)
IDENTITY_SETTINGS = {"name": "name", "advertiseAddress": "address", "clusterName": "cluster"}


def settings(path: str) -> dict[str, str]:
    """The settings in kubeadm's configuration here that a cluster keeps as long as it exists.

    And the version of the API server that the kubelet here runs, or would: by the image in its manifest.
    """
    text = read(path) or ""
    found = dict(re.findall(r'^\s*(\w+): "?([^"\s]+)"?$', text, re.M))
    kept = {name: found[word] for word, name in (LASTING_SETTINGS | IDENTITY_SETTINGS).items() if word in found}
    if "name: kubelet-certificate-authority," in text:
        kept["verifies_kubelets"] = "yes"
    image = re.search(r"^\s*image: \S*/kube-apiserver:v?(\d+\.\d+\.[0-9A-Za-z.+-]+)", apiserver_manifest(), re.M)
    return kept | ({"apiserver_version": image.group(1)} if image else {})


def apiserver_manifest() -> str:
    """The API server's manifest, also while a restart has it out of the kubelet's way; "" without one."""
    return next((text for path in APISERVER_MANIFESTS if (text := read(path)) is not None), "")


def leftovers() -> dict[str, Any]:
    """A restore that is under way, the old data that earlier ones kept, the free bytes where etcd's data lies.

    And what an upgrade has staged or replaced, and not removed at its end.
    """
    journal = json.loads(read("/var/lib/haplane/restore.json") or "null")
    place = ETCD_DATA if os.path.isdir(ETCD_DATA) else "/var/lib"
    space = os.statvfs(place)

    return {
        "journal": journal if isinstance(journal, dict) else None,
        "previous_data": previous_data(),
        "staged": sorted(os.path.basename(path)[:100] for path in glob.glob(VERSIONS + "/*"))[:20],
        "etcd_free_bytes": space.f_bavail * space.f_frsize,
        "etcd_unmounted": is_unmounted("var-lib-etcd.mount"),
    }


def previous_data() -> list[dict[str, Any]]:
    """Old data beside etcd's own, in a directory that the user etcd fills."""
    return [
        {"path": path, "size": size_of(path)}
        for path in sorted(glob.glob(ETCD_DATA + "/aside-*"))
        if OLD_DATA.fullmatch(os.path.basename(path)) and not os.path.islink(path)
    ][:MOST_OLD_DATA]


def is_unmounted(unit: str) -> bool:
    """Whether a file system that belongs there, by fstab or a unit, is not mounted.

    False where systemd does not answer: the journal of a restore must not be lost with that.
    """
    with contextlib.suppress(OSError):
        return loaded_unit(unit, "ActiveState").get("ActiveState", "active") != "active"
    return False


def snapshots(directory: str) -> dict[str, Any]:
    """Which snapshot agent is installed, what it wrote of itself, which keys are sealed, what is kept here."""
    kept = [entry.name for entry in os.scandir(directory)] if os.path.isdir(directory) else []
    return {
        "agent": os.path.basename(os.readlink(AGENT)) if os.path.islink(AGENT) else None,
        "state": document("/var/lib/haplane/snapshot-state.json"),
        "sealed": document("/etc/haplane/sealed-keys.json"),
        "signer": document("/etc/haplane/signing.json"),
        "local": sum(os.path.exists(os.path.join(directory, name, "manifest.sig")) for name in kept),
    }
