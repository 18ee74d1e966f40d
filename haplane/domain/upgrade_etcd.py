"""What etcd itself asks of an upgrade: its own route, no alarm, and no way back once all members are new. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from haplane.domain.etcd_report import EtcdStatus
from haplane.domain.members import corrupt, differ
from haplane.domain.observed import HostReport
from haplane.domain.plan import few
from haplane.domain.problem import ETCDCTL, UP
from haplane.domain.steps.etcd_space import without_space
from haplane.domain.versions import Version, is_version, parse
from haplane.errors import INVENTORY, HaplaneError

OLDEST_ETCD_FOR_37 = Version(3, 6, 11)
"""etcd's documentation of the upgrade to 3.7 needs every member at least there."""


def alarm_problems(members: Sequence[str], reports: Mapping[str, HostReport]) -> Iterator[HaplaneError]:
    """Members that raised one read through quorum, and take no writes, which every step of an upgrade makes."""
    known = {name: reports[name] for name in members if name in reports}
    full, damaged = without_space(known.values()), corrupt(known.values())
    ids = {name: one.etcd.status.header.member_id for name, one in known.items() if one.etcd.status is not None}
    if full:
        yield HaplaneError(
            "etcd is out of space (alarm NOSPACE)",
            where=few([name for name, number in ids.items() if number in full]) or None,
            why="it refuses writes",
            next_step=UP,
        )
    for name in (name for name, number in ids.items() if number in damaged):
        yield HaplaneError(
            f"{name}: etcd has found its member's data damaged (alarm CORRUPT)",
            why="it refuses writes until that member is replaced",
            next_step=f"`haplane node repair {INVENTORY} {name}`",
        )
    if differ(known.values()):
        yield HaplaneError(
            "etcd members' data differ and there is no majority to decide whose data is damaged (alarm CORRUPT)",
            why="it refuses writes",
            next_step=f"`haplane restore {INVENTORY} --snapshot latest --accept-loss`",
        )


def starts_again(old: str, new: str, others: Iterable[str]) -> bool:
    """Whether a member that became ``new`` would start as ``old`` again beside members of these versions.

    Once every member is of a newer minor version etcd raises its cluster version within seconds, and an older program
    panics then (MustDetectDowngrade in server/etcdserver/version/downgrade.go). A version that is not known is "".
    """
    target = parse(new)[:2]
    same_data = old != new and is_version(old) and parse(old)[:2] >= target
    return same_data or any(is_version(one) and parse(one)[:2] < target for one in others)


def etcd_problems(members: Mapping[str, EtcdStatus], kubernetes: str, wanted: str) -> Iterator[HaplaneError]:
    """Etcd goes through every minor version as well, and to 3.7 only from a late 3.6.

    A minor version back as well, where the data have the older one's format: while one member runs it, and once
    `etcdctl downgrade` has converted them.
    """
    for name, status in members.items():
        version = status.version
        if not is_version(version) or not is_version(wanted) or version == wanted:
            continue
        old, new = parse(version), parse(wanted)
        if new < old and new[:2] != old[:2]:
            if status.storage_version != f"{new.major}.{new.minor}.0":
                yield _newer_data(name, version, kubernetes, new)
        elif new.minor - old.minor > 1 or (new[:2] == (3, 7) and old < OLDEST_ETCD_FOR_37):
            yield HaplaneError(
                f"{name}: etcd {version} cannot become {wanted} in one step",
                why=f"etcd 3.7 needs every member at {OLDEST_ETCD_FOR_37} first, and no minor version is skipped",
                next_step="use a bundle of the running Kubernetes version with a newer etcd first, then run again",
            )


def _newer_data(name: str, version: str, kubernetes: str, wanted: Version) -> HaplaneError:
    old, minor = parse(version), f"{wanted.major}.{wanted.minor}"
    keep = f"keep this etcd: `haplane bundle pin {kubernetes} --component etcd={version}`, name that lock as "
    keep += 'cluster["bundle_lock"] in the inventory, then `haplane bundle build INVENTORY`'
    if (old.major, old.minor - 1) != wanted[:2]:
        return HaplaneError(
            f"{name}: etcd {version} is newer than the bundle's {wanted}",
            why="it goes back by one minor version at a time",
            next_step=keep,
        )
    return HaplaneError(
        f"{name}: etcd {version} is newer than the bundle's {wanted}",
        why=f"its data have the format of {old.major}.{old.minor}, which {minor} does not read",
        next_step=f"{keep}; or on a master `{ETCDCTL} downgrade enable {minor}`, then run again",
    )
