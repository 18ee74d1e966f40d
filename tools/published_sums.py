"""Write the table that the shipped locks are made from and tested against: checksums as kubespray publishes them.

``python tools/published_sums.py COMMIT <checksums.yml >tests/bundle/published/kubespray.toml``, with the file
roles/kubespray_defaults/vars/main/checksums.yml of kubespray at that commit.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

SECTIONS = {
    "kubeadm_checksums": "kubeadm",
    "kubelet_checksums": "kubelet",
    "kubectl_checksums": "kubectl",
    "etcd_binary_checksums": "etcd",
    "containerd_static_archive_checksums": "containerd-static",
    "runc_checksums": "runc",
    "cni_binary_checksums": "cni-plugins",
}
WANTED = re.compile(r"1\.(3[5-9]|[4-9]\d)\.\d+")  # of Kubernetes; of the others everything
LINE = re.compile(r"    (?P<version>[\d.]+): sha256:(?P<sum>[0-9a-f]{64})")


def entries(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Program, architecture, version and checksum of each line that is of use here."""
    section = architecture = ""
    for line in text.splitlines():
        if named := re.fullmatch(r"(\w+):", line):
            section = named[1]
        elif named := re.fullmatch(r"  (\w+):", line):
            architecture = named[1]
        elif (found := LINE.fullmatch(line)) and section in SECTIONS and architecture in {"amd64", "arm64"}:
            name = SECTIONS[section]
            if not name.startswith("kube") or WANTED.fullmatch(found["version"]):
                yield name, architecture, found["version"], found["sum"]


def main() -> None:
    """The table, on stdout."""
    print("# Checksums as published by kubernetes-sigs/kubespray, roles/kubespray_defaults/vars/main/checksums.yml")
    print(f"# at commit {sys.argv[1]}. Made by tools/published_sums.py; do not edit.")
    table = ""
    for name, architecture, version, checksum in entries(sys.stdin.read()):
        if table != f"[{name}.{architecture}]":
            table = f"[{name}.{architecture}]"
            print(f"\n{table}")
        print(f'"{version}" = "{checksum}"')


if __name__ == "__main__":
    main()
