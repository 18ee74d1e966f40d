"""Kubernetes versions: parsing, order, and which components may run beside which.

The skew rules are Kubernetes' own (its "Version Skew Policy" page): API servers of one cluster are at most one minor
version apart; a kubelet is never newer than an API server it talks to and at most three minor versions older.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

SUPPORTED_VERSIONS = ("1.35.4",)
KUBELET_MAY_LAG_MINORS = 3
APISERVERS_MAY_DIFFER_MINORS = 1

_VERSION = re.compile(r"v?(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})", re.ASCII)


class Version(NamedTuple):
    """Ordered as versions are."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def parse(text: str) -> Version:
    """``1.35.4`` or ``v1.35.4`` as a Version. Raises ValueError for anything else, pre-releases included."""
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a version like 1.35.4")
    return Version(*map(int, match.groups()))


def is_supported(text: str) -> bool:
    """Whether the bundle pins that version; written as in SUPPORTED_VERSIONS, without a leading v."""
    return text in SUPPORTED_VERSIONS


def kubelet_problem(kubelet: Version, apiservers: Iterable[Version]) -> str | None:
    """Why a kubelet may not run beside these API servers, or None when it may."""
    for apiserver in sorted(set(apiservers)):
        if kubelet[:2] > apiserver[:2]:
            return f"kubelet {kubelet} is newer than API server {apiserver}: upgrade the API server first"
        if kubelet.major != apiserver.major or apiserver.minor - kubelet.minor > KUBELET_MAY_LAG_MINORS:
            return (
                f"kubelet {kubelet} is more than {KUBELET_MAY_LAG_MINORS} minor versions"
                f" older than API server {apiserver}: upgrade the kubelet first"
            )
    return None


def apiserver_problem(apiservers: Iterable[Version]) -> str | None:
    """Why these API servers may not serve one cluster together, or None when they may."""
    versions = sorted(set(apiservers))
    if not versions:
        return None
    oldest, newest = versions[0], versions[-1]
    if oldest.major != newest.major or newest.minor - oldest.minor > APISERVERS_MAY_DIFFER_MINORS:
        return f"API servers {oldest} and {newest} are more than {APISERVERS_MAY_DIFFER_MINORS} minor version apart"
    return None


def upgrade_problem(current: Version, wanted: Version) -> str | None:
    """Why a cluster may not go from one version to the other in one step, or None when it may."""
    if wanted < current:
        return f"{wanted} is older than {current}: etcd's data cannot be taken back to an older version"
    if wanted.major != current.major or wanted.minor - current.minor > 1:
        return f"{wanted} skips a minor version after {current}: kubeadm upgrades one minor version at a time"
    return None
