"""Members that do not run, each with its cause and what is done about it."""

from __future__ import annotations

from haplane.domain.etcd_failure import Failure, FailureKind
from haplane.domain.host_paths import ETCD_DATA
from haplane.domain.observed import HostReport, Observation
from haplane.domain.problem import UP, Problem, filling, problem
from haplane.domain.status.model import Roster
from haplane.domain.status.own_files import spoiled

FIXES = {
    FailureKind.DAMAGED: "`haplane node repair INVENTORY {name}`",
    FailureKind.DISK_FULL: "make room " + filling("{name}", ETCD_DATA) + "; etcd starts by itself and keeps its data",
    FailureKind.READ_ONLY: "see why in `dmesg` on {name}, then `mount -o remount,rw` its file system",
    FailureKind.DISK_ERROR: "see `dmesg` on {name}; if its data is lost: move /var/lib/etcd/member away there, then "
    "`haplane node repair INVENTORY {name}`",
    FailureKind.PERMISSION: UP,
    FailureKind.CERTIFICATE: UP,
    FailureKind.KEYS_MISSING: UP,
    FailureKind.PORT_TAKEN: "stop the program that `ss -ltnp` on {name} shows at 2379, 2380 or 2381",
    FailureKind.NO_ADDRESS: "give {name} the address {address} again: `ip address` there shows which it has",
    FailureKind.NO_MEMORY: "free memory on {name}: `ps aux --sort=-rss | head` shows what uses it; etcd starts "
    "by itself",
    FailureKind.OTHER_CLUSTER: "`haplane node repair INVENTORY {name}`",
    FailureKind.WRONG_FLAGS: "remove what `systemctl cat etcd` on {name} shows besides haplane's files, then "
    "`systemctl restart etcd`",
    FailureKind.UNKNOWN: "see `journalctl -u etcd -n 50` on {name}",
}


def fix_of(failure: Failure, name: str, address: str) -> str:
    """One command or edit for this failure of this host's member."""
    return FIXES[failure.kind].format(name=name, address=address)


OF_THE_HOST = (FailureKind.DAMAGED, FailureKind.DISK_FULL, FailureKind.DISK_ERROR, FailureKind.NO_MEMORY)
"""Whatever its unit is like."""


def fix_of_member(failure: Failure, name: str, roster: Roster, report: HostReport) -> str:
    """The same, but for one that starts with a unit or keys that are not haplane's."""
    if failure.kind not in OF_THE_HOST and spoiled(name, roster, report, "etcd"):
        return UP
    return fix_of(failure, name, roster.addresses[name])


def why_it_fails(failure: Failure, report: HostReport) -> str:
    """Etcd's own words, with the free space where that is what is missing."""
    if failure.kind is not FailureKind.DISK_FULL:
        return failure.words
    return f"{failure.words}; {report.leftovers.etcd_free_bytes >> 20} MiB free at /var/lib/etcd"


def failed_members(roster: Roster, observation: Observation) -> list[Problem]:
    """What stands in the way of members whose data are not damaged."""
    found = []
    for name in roster.etcd:
        report = observation.reports.get(name)
        if report is not None and report.leftovers.etcd_unmounted:
            found.append(
                problem(
                    f"etcd member {name}: the disk of /var/lib/etcd is not mounted",
                    fix=f"`systemctl start var-lib-etcd.mount` on {name}, then `haplane up INVENTORY`",
                )
            )
        failure = report.etcd.failure if report else None
        if report is None or failure is None or failure.kind is FailureKind.DAMAGED:
            continue
        found.append(
            problem(
                f"etcd member {name}: {failure.kind.value}",
                why=why_it_fails(failure, report),
                fix=fix_of_member(failure, name, roster, report),
            )
        )
    return found
