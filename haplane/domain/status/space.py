"""How full etcd's database is, and its quota."""

from __future__ import annotations

from haplane.domain.etcd_report import EtcdStatus
from haplane.domain.observed import Observation
from haplane.domain.problem import UP, Problem, problem
from haplane.domain.status.model import Roster
from haplane.domain.steps.etcd_space import NEARLY_FULL, fullness, is_fragmented, quota_of, without_space

SETTING = 'cluster["etcd"]["quota_backend_bytes"]'


def space_problems(roster: Roster, observation: Observation) -> list[Problem]:
    """The alarm NOSPACE, databases near their quota, and quotas that are not the inventory's."""
    known = {name: observation.reports[name] for name in roster.etcd if name in observation.reports}
    running = {name: report.etcd.status for name, report in known.items() if report.etcd.status is not None}
    found = []
    if without_space(known.values()):
        full = ", ".join(f"{name} {_how_full(status)}" for name, status in running.items())
        found.append(
            problem(
                "etcd is out of space (alarm NOSPACE): it serves reads and refuses writes",
                why=full,
                fix=f"`haplane up INVENTORY` compacts and defragments it; if it fills up again, raise {SETTING}",
            )
        )
    else:
        found += [
            problem(
                f"etcd member {name}: its database is nearly full",
                why=_how_full(status),
                fix=f"{UP} defragments it" if is_fragmented(status) else f"raise {SETTING}, then {UP}",
            )
            for name, status in running.items()
            if fullness(status) > NEARLY_FULL
        ]
    return found + [
        problem(
            f"etcd member {name}: its quota is {quota_of(status) >> 20} MiB, the inventory's {wanted >> 20} MiB",
            why=", ".join(_drop_ins(name, observation)) or None,
            fix=f"remove the drop-in or change {SETTING}, then `haplane up INVENTORY`",
        )
        for name, status in running.items()
        if (wanted := roster.etcd_quota_bytes) and quota_of(status) != wanted
    ]


def drop_in_notes(roster: Roster, observation: Observation) -> list[str]:
    """Drop-ins of etcd's unit that are not haplane's: they may be meant, and they may be why it differs."""
    return [
        f"{name}: {path} changes etcd's unit, and is not haplane's"
        for name in roster.etcd
        if name in observation.reports
        for path in _drop_ins(name, observation)
    ]


def _drop_ins(name: str, observation: Observation) -> tuple[str, ...]:
    unit = observation.reports[name].units.get("etcd")
    return unit.foreign_drop_ins if unit is not None else ()


def _how_full(status: EtcdStatus) -> str:
    quota = quota_of(status)
    return (
        f"{status.db_size / (1 << 20):.0f} of {quota / (1 << 20):.0f} MiB, "
        f"{status.db_size_in_use / (1 << 20):.0f} MiB in use"
    )
