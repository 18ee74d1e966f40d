"""From the versions that run to the one that is wanted, one minor version after the other. Pure.

The order inside a hop is that of the skew policy: every API server before any kubelet. So what runs in the oldest
version, a kubelet included, decides where the route begins, and an interrupted hop is completed before the next. But
no API server goes back: kubelets that were left behind by more than one minor version follow in one step.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from haplane.domain.versions import Running, Version, is_version, parse

APISERVER, KUBELET = "kube-apiserver", "kubelet"
OLDEST_KUBELET = 3
"""How many minor versions a kubelet may be older than an API server."""


@dataclass(frozen=True)
class Missing:
    """A minor version on the route of which there is no bundle; ``version`` is the one to build."""

    version: Version
    minor: str


def hops(
    running: Iterable[Running], wanted: Version, available: Collection[Version], known: Collection[Version]
) -> tuple[tuple[Version, ...], tuple[Missing, ...]]:
    """The versions to go through, ``wanted`` last, and those of which a bundle is missing.

    ``available``: versions of which there is a bundle; ``known``: those that one can be built of. Between the two
    ends the newest patch release of each minor version, none older than what runs in that version already.
    """
    every = tuple(running)
    found, apiservers = sorted(parse(one.version) for one in every), _of(APISERVER, every)
    if not found or wanted <= found[0]:
        return (wanted,), ()
    route, missing = [], []
    first = max((found[0].minor + 1, *(version.minor for version in apiservers)))
    for minor in range(first, wanted.minor):
        floor = max((one for one in found if one.minor == minor), default=Version(wanted.major, minor, 0))
        there = [one for one in available if one[:2] == floor[:2] and one >= floor]
        if there:
            route.append(max(there))
        else:
            buildable = [one for one in known if one[:2] == floor[:2] and one >= floor]
            missing.append(Missing(max(buildable, default=floor), f"{wanted.major}.{minor}"))
    return (*route, wanted), tuple(missing)


def _of(program: str, running: Iterable[Running]) -> list[Version]:
    return [parse(one.version) for one in running if one.program == program]


def problem_of(running: Iterable[Running], wanted: str) -> str | None:
    """Why a cluster of which this runs may not become ``wanted``, or None.

    Back to an older patch release at any time: what one stores the others of its minor version read. Back to an older
    minor version only while an API server still runs in it: then nothing has been stored that the older one cannot
    read, and no kubelet is newer.
    """
    every = tuple(running)
    if odd := [one for one in every if not is_version(one.version)]:
        return f"{odd[0]} is not a released version"
    target, versions = parse(wanted), [parse(one.version) for one in every]
    newer = [one for one in every if parse(one.version)[:2] > target[:2]]
    apiservers = _of(APISERVER, every)
    if newer and all(version[:2] != target[:2] for version in apiservers):
        minor = f"{target.major}.{target.minor}"
        return (
            f"{newer[0]} is of a newer minor version, and no API server runs as {minor} any more: what it stored "
            f"may be unreadable for {minor}; the way back is `haplane reset` of all hosts, then `haplane restore` of "
            "a snapshot from before, out of the bucket or a file"
        )
    if any(version.major != target.major for version in versions):
        return f"{target} has another major version"
    if apiservers and max(apiservers).minor - min(apiservers).minor > 1:
        return f"API servers run as {min(apiservers)} and as {max(apiservers)}: one minor version apart is the most"
    late = [one for one in every if one.program == KUBELET and _is_too_old(parse(one.version), apiservers)]
    if late:
        return f"{late[0]} is more than {OLDEST_KUBELET} minor versions behind the API servers"
    return None


def _is_too_old(kubelet: Version, apiservers: Sequence[Version]) -> bool:
    return bool(apiservers) and max(apiservers).minor - kubelet.minor > OLDEST_KUBELET
