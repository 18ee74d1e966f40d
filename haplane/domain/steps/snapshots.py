"""The steps that make snapshots be taken as the inventory says, and what is refused. Pure.

The sealed keys are the same bytes on every member. When a member has others, or none, a master seals the keys again
for all of them: a member's copy is never given to another, because only the identity could show what is in it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from haplane.domain import host_paths
from haplane.domain.files import Part
from haplane.domain.observed import HostReport
from haplane.domain.plan import Kind, Step, Wants
from haplane.domain.steps.host import changed_files
from haplane.errors import Refused

TIMER_UNIT = Part.SNAPSHOT_TIMER.value


@dataclass(frozen=True)
class SnapshotWants:
    """``agent`` names its directory, ``fingerprint`` the keys that have to be sealed to ``recipients``.

    ``has_bucket``: snapshots are uploaded to S3 as well.
    """

    recipients: tuple[str, ...]
    agent: str
    fingerprint: str
    has_bucket: bool = False


def keys_fingerprint(digests: Mapping[str, str]) -> str:
    """The SHA-256 of what `sha256sum` prints for the cluster's key files, sorted by path."""
    lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def snapshot_steps(
    wanted: SnapshotWants | None,
    members: Sequence[str],
    wants: Mapping[str, Wants],
    reports: Mapping[str, HostReport],
    own_files: Collection[str],
) -> list[Step]:
    """``own_files`` exist on members only, and only while snapshots are taken."""
    there = [name for name in members if name in reports] if wanted is not None else []
    steps = [
        Step(Kind.UNSCHEDULE, name, "the inventory takes no snapshots on it")
        for name, report in reports.items()
        if name not in there and (TIMER_UNIT in report.units or any(path in report.files for path in own_files))
    ]
    if wanted is None:
        return steps
    steps += _seal_steps(wanted, {name: reports[name] for name in there})
    for name in there:
        report = reports[name]
        if report.snapshots is None or report.snapshots.agent != wanted.agent:
            why = "another version is installed" if report.snapshots and report.snapshots.agent else "not present yet"
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
        return "not present yet"
    if not timer.active:
        return "it is stopped"
    if not timer.enabled:
        return "it is disabled"
    mine = [file for file in wanted.files if file.part is Part.SNAPSHOT_TIMER]
    return "its files changed" if changed_files(mine, report) or timer.needs_reload else None


def _seal_steps(wanted: SnapshotWants, reports: Mapping[str, HostReport]) -> list[Step]:
    """For all members or none: a member's copy is never kept for others, because only the identity could check it."""
    held = {name: _fitting(wanted, report) for name, report in reports.items()}
    if None not in held.values() and len(set(held.values())) <= 1:
        return []
    return [Step(Kind.SEAL, name, _why_not_sealed(wanted, report)) for name, report in reports.items()]


def _fitting(wanted: SnapshotWants, report: HostReport) -> str | None:
    """The digest of the host's sealed keys if they are intact, of the current keys, and to the current recipients."""
    sealed = report.snapshots.sealed if report.snapshots else None
    file = report.files.get(host_paths.SEALED_KEYS_AGE)
    if sealed is None or file is None or file.sha256 != sealed.sha256 or file.mode != 0o600:
        return None
    fits = sealed.fingerprint == wanted.fingerprint and set(sealed.recipients) == set(wanted.recipients)
    return sealed.sha256 if fits else None


def _why_not_sealed(wanted: SnapshotWants, report: HostReport) -> str:
    sealed = report.snapshots.sealed if report.snapshots else None
    if sealed is None:
        return "not present yet"
    if sealed.fingerprint != wanted.fingerprint:
        return "the keys changed"
    if set(sealed.recipients) != set(wanted.recipients):
        return "the recipients changed"
    return "members do not all hold the same ones"


def refuse_unproven(recipients: Iterable[str], proven: Collection[str], reports: Mapping[str, HostReport]) -> None:
    """Raises Refused for a recipient whose identity was proven neither here nor when keys were sealed to it.

    Keys count as sealed to it when a majority of the members with sealed keys reports that.
    """
    sealed = [report.snapshots.sealed for report in reports.values() if report.snapshots and report.snapshots.sealed]
    counted = Counter(recipient for one in sealed for recipient in set(one.recipients))
    sealed_to = {recipient for recipient, votes in counted.items() if 2 * votes > len(sealed)}
    if unknown := [one for one in recipients if one not in proven and one not in sealed_to]:
        raise Refused(
            f"no identity is known to decrypt snapshots for {', '.join(unknown)}; nothing was changed",
            why="without the identity of the recipient a snapshot can never be restored",
            next_step="run `haplane keys check FILE` with the file of that recipient's identity",
        )


def refuse_another_signing_key(wanted_digest: str | None, digest: str | None, inventory: str) -> None:
    """Digests of the public half, as the inventory and as the masters have it. Raises Refused when they differ."""
    if wanted_digest is None or wanted_digest == digest:
        return
    why = "the cluster has another one" if digest else "this cluster does not exist yet, nor does its key"
    raise Refused(
        "the inventory's signing key is not this cluster's; nothing was changed",
        where=f'{inventory}: cluster["snapshots"]["signing_key"]',
        why=why,
        next_step="remove it; `haplane up` prints the right one. If you expected this one, check which cluster it is",
    )


def refuse_revoked_signing_key(key: str | None, revoked: Collection[str], inventory: str) -> None:
    """Raises Refused when the cluster's current signing key is revoked: no new snapshot could be restored."""
    if key in revoked:
        raise Refused(
            "the inventory revokes the cluster's current signing key; nothing was changed",
            where=f'{inventory}: cluster["snapshots"]["revoked_signing_keys"]',
            why="no snapshot taken from now on could be restored",
            next_step=f"remove it from the list, make a new one with `haplane keys rotate {inventory} signing`, "
            "then revoke the old one",
        )
