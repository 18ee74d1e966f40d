"""What has to be done so that snapshots are taken as the inventory says, and what forbids it. Pure.

The sealed keys are the same bytes on every member: one that has others, or none, gets those that most members have;
where no member has ones that fit, they are sealed anew.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from haplane.domain.files import Part
from haplane.domain.observed import HostReport
from haplane.domain.plan import Kind, Step, Wants, changed_files
from haplane.errors import Refused

TIMER_UNIT = Part.SNAPSHOT_TIMER.value
SEALED_KEYS = "/etc/haplane/sealed-keys.age"


@dataclass(frozen=True)
class SnapshotWants:
    """``agent`` names its directory, ``fingerprint`` the keys that are to be sealed to ``recipients``.

    ``has_bucket``: they go to S3 as well.
    """

    recipients: tuple[str, ...]
    agent: str
    fingerprint: str
    has_bucket: bool = False


def keys_fingerprint(digests: Mapping[str, str]) -> str:
    """One digest over the digests of the cluster's key files by path: that of sha256sum's lines, sorted by path."""
    lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def snapshot_steps(
    wanted: SnapshotWants | None,
    members: Sequence[str],
    wants: Mapping[str, Wants],
    reports: Mapping[str, HostReport],
    own_files: Collection[str],
) -> list[Step]:
    """``own_files`` are those that only members have, and only while snapshots are taken."""
    there = [name for name in members if name in reports] if wanted is not None else []
    steps = [
        Step(Kind.UNSCHEDULE, name, "the inventory has no snapshots for it")
        for name, report in reports.items()
        if name not in there and (TIMER_UNIT in report.units or any(path in report.files for path in own_files))
    ]
    if wanted is None:
        return steps
    steps += _seal_steps(wanted, {name: reports[name] for name in there})
    for name in there:
        report = reports[name]
        if report.snapshots is None or report.snapshots.agent != wanted.agent:
            why = "another version is installed" if report.snapshots and report.snapshots.agent else "not there yet"
            steps.append(Step(Kind.AGENT, name, why))
        if why_not := _why_not_scheduled(wants[name], report):
            steps.append(Step(Kind.SCHEDULE, name, why_not))
        own = [file for file in wants[name].files if file.path in own_files]
        if wanted.has_bucket and changed_files(own, report):
            steps.append(Step(Kind.BUCKET, name, "its settings changed"))
    return steps


def _why_not_scheduled(wanted: Wants, report: HostReport) -> str | None:
    timer = report.units.get(TIMER_UNIT)
    if timer is None:
        return "not there yet"
    if not timer.active:
        return "it is stopped"
    if not timer.enabled:
        return "it is disabled"
    mine = [file for file in wanted.files if file.part is Part.SNAPSHOT_TIMER]
    return "its files changed" if changed_files(mine, report) or timer.needs_reload else None


def _seal_steps(wanted: SnapshotWants, reports: Mapping[str, HostReport]) -> list[Step]:
    """A step's item is the member whose sealed keys are to be copied; without one they are sealed anew."""
    held = {name: digest for name, report in reports.items() if (digest := _fitting(wanted, report)) is not None}
    if not held:
        return [Step(Kind.SEAL, name, _why_not_sealed(wanted, report)) for name, report in reports.items()]
    counted = Counter(held.values())
    chosen = min(counted, key=lambda digest: (-counted[digest], digest))
    holder = min(name for name, digest in held.items() if digest == chosen)
    return [
        Step(Kind.SEAL, name, _why_not_sealed(wanted, report), (holder,))
        for name, report in reports.items()
        if held.get(name) != chosen
    ]


def _fitting(wanted: SnapshotWants, report: HostReport) -> str | None:
    """The digest of the host's sealed keys if they are whole, of the present keys, and to the present recipients."""
    sealed = report.snapshots.sealed if report.snapshots else None
    file = report.files.get(SEALED_KEYS)
    if sealed is None or file is None or file.sha256 != sealed.sha256 or file.mode != 0o600:
        return None
    fits = sealed.fingerprint == wanted.fingerprint and set(sealed.recipients) == set(wanted.recipients)
    return sealed.sha256 if fits else None


def _why_not_sealed(wanted: SnapshotWants, report: HostReport) -> str:
    sealed = report.snapshots.sealed if report.snapshots else None
    if sealed is None:
        return "not there yet"
    if sealed.fingerprint != wanted.fingerprint:
        return "the keys changed"
    if set(sealed.recipients) != set(wanted.recipients):
        return "the recipients changed"
    return "not those of the other members"


def refuse_unproven(recipients: Iterable[str], proven: Collection[str], reports: Mapping[str, HostReport]) -> None:
    """Raises Refused for a recipient nobody has shown an identity for: neither here nor when keys were sealed."""
    sealed_to = {
        recipient
        for report in reports.values()
        if report.snapshots and report.snapshots.sealed
        for recipient in report.snapshots.sealed.recipients
    }
    if unknown := [one for one in recipients if one not in proven and one not in sealed_to]:
        raise Refused(
            f"nobody has shown that snapshots for {', '.join(unknown)} can be decrypted; nothing was changed",
            why="a snapshot to a recipient whose identity is lost, or never was, is no snapshot",
            next_step="haplane keys check FILE, with the file of that recipient's identity",
        )


def refuse_foreign_signing_key(wanted_digest: str | None, digest: str | None, inventory: str) -> None:
    """Digests of the public half, as the inventory and as the masters have it. Raises Refused when they differ."""
    if wanted_digest is None or wanted_digest == digest:
        return
    why = "the cluster has another one" if digest else "this cluster is yet to be made, and its key with it"
    raise Refused(
        "the inventory's signing_key is not this cluster's; nothing was changed",
        where=f'{inventory}: cluster["snapshots"]["signing_key"]',
        why=why,
        next_step="remove it; `haplane up` prints the right one. If you expected this one: whose cluster is this?",
    )
