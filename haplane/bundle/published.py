"""What projects publish beside their artifacts, taken apart: files of checksums, and kubeadm's constants. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from haplane.domain.versions import Version, parse

LINE = re.compile(r"([0-9a-f]{64})(?:[ \t]+\*?(\S+))?")


def checksum_in(text: str, file_name: str) -> str | None:
    """The SHA-256 of a file: of the line that names it, or the only one there. None for anything else.

    Lines that are no checksums are passed over: some of these files carry a signature.
    """
    found = [line.groups() for line in map(LINE.fullmatch, map(str.strip, text.splitlines())) if line]
    named = [checksum for checksum, name in found if name is not None and name.rpartition("/")[2] == file_name]
    candidates = named or [checksum for checksum, name in found if len(found) == 1 and name is None]
    return candidates[0] if len(set(candidates)) == 1 else None


@dataclass(frozen=True)
class Constants:
    """What a version of kubeadm asks for: images of CoreDNS and pause; etcd as it would run it, and the oldest."""

    coredns: str
    pause: str
    etcd: Version
    oldest_etcd: Version


def kubeadm_constants(source: str) -> Constants:
    """From cmd/kubeadm/app/constants/constants.go. Raises ValueError when one of them is not there."""
    values = {}
    for name in ("CoreDNSVersion", "PauseVersion", "DefaultEtcdVersion", "MinExternalEtcdVersion"):
        found = re.search(rf'^\s*{name}\s*=\s*"v?([0-9.]+)(?:-\d+)?"', source, re.MULTILINE)
        if found is None:
            raise ValueError(f"there is no constant {name}")
        values[name] = found[1]
    return Constants(
        coredns=values["CoreDNSVersion"],
        pause=values["PauseVersion"],
        etcd=parse(values["DefaultEtcdVersion"]),
        oldest_etcd=parse(values["MinExternalEtcdVersion"]),
    )
