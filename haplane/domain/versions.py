"""Kubernetes versions: parsing, order, and which components may run beside which.

The skew rules are Kubernetes' own (its "Version Skew Policy" page): API servers of one cluster are at most one minor
version apart; a kubelet is never newer than an API server it talks to and at most three minor versions older.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from haplane.domain.observed import HostReport, Node
from haplane.errors import Refused

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


@dataclass(frozen=True)
class Running:
    """A program that runs on a host, and its version as reported: without a leading ``v``."""

    host: str
    program: str
    version: str

    def __str__(self) -> str:
        return f"{self.host} {self.program} {self.version}"


def running_versions(
    masters: Sequence[str], reports: Mapping[str, HostReport], nodes: Iterable[Node]
) -> tuple[Running, ...]:
    """What masters run: each API server by its own host's report, kubelets as the API servers report them."""
    named = {node.name: node.kubelet_version for node in nodes}
    found = []
    for name in masters:
        apiserver = reports[name].settings.get("apiserver_version") if name in reports else None
        programs = {"kube-apiserver": apiserver, "kubelet": named.get(name)}
        found += [Running(name, program, text.removeprefix("v")) for program, text in programs.items() if text]
    return tuple(found)


def refuse_another_version(running: Sequence[Running], wanted: str, inventory: str) -> None:
    """Raises Refused when something runs in another version than the inventory wants: `up` is no upgrade."""
    other = [one for one in running if one.version != wanted]
    if not other:
        return
    versions = sorted({one.version for one in other})
    raise Refused(
        f"this cluster runs Kubernetes {', '.join(versions)}, the inventory wants {wanted}; nothing was changed",
        where="; ".join(map(str, other[:6])),
        why="`up` would restart every kubelet at once, before the API servers",
        next_step=f"`haplane upgrade {inventory}`",
    )


def refuse_unreadable_data(
    stored_by: str | None, wanted: str, name: str, inventory: str, *, accept_old: bool = False
) -> None:
    """``stored_by`` ran when the data of that ``name`` were saved, ``wanted`` is to read them.

    Raises Refused for an older minor version, which may misread what a newer one stored, and, unless ``accept_old``,
    for one that is more than one newer, which may not know how an older one stored it.
    """
    if stored_by is None or not is_version(stored_by) or not is_version(wanted):
        return
    old, new = parse(stored_by), parse(wanted)
    is_newer, reaches = new[:2] >= old[:2], old.major == new.major and new.minor <= old.minor + 1
    if is_newer and (reaches or accept_old):
        return
    otherwise = "; to have it read all the same: --accept-loss" if is_newer else ""
    raise Refused(
        f"this snapshot is of Kubernetes {stored_by}, and the inventory wants {wanted}; nothing was changed",
        where=name,
        why="an API server reads what its own and the minor version before it stored",
        next_step=f'set cluster["kubernetes_version"] = "{stored_by}" in {inventory}, restore, then `haplane upgrade`'
        f"{otherwise}",
    )


def refuse_another_etcd(running: Mapping[str, str], wanted: str, inventory: str) -> None:
    """``running``: by member, the version it reports. Raises Refused for a bundle with another minor version."""
    minors = {name: version for name, version in running.items() if _minor(version) not in (None, _minor(wanted))}
    if minors and _minor(wanted) is not None:
        raise Refused(
            f"these members run another etcd version than the bundle's {wanted}; nothing was changed",
            where="; ".join(f"{name} etcd {version}" for name, version in minors.items()),
            why="another minor version changes how etcd stores its data: that takes an upgrade",
            next_step=f"`haplane upgrade {inventory}`, or name the bundle that this cluster was made from in it",
        )


def _minor(text: str) -> tuple[int, int] | None:
    return parse(text)[:2] if is_version(text) else None


def is_version(text: str) -> bool:
    """Whether :func:`parse` can read it."""
    return _VERSION.fullmatch(text) is not None
