"""A restore as the hosts record it, so that the same command completes one that was interrupted. Pure.

The invariant: **data is replaced at most once per restore.** Before an API server is started again, every host's
journal says SERVING and names the members that have their data; writes after that are never replaced by a resume.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from haplane.domain import host_paths
from haplane.domain.names import MemberName
from haplane.domain.quorum import majority
from haplane.domain.reported import Count

Timestamp = Annotated[str, Field(pattern=r"^[0-9]{8}T[0-9]{6}Z$")]
Stage = Literal["preparing", "replacing", "serving"]


class Journal(BaseModel):
    """``timestamp`` is when the restore began, in UTC; ``source`` names what is restored, for people.

    ``database`` is the SHA-256 of the etcd snapshot, ``revision`` its revision and ``bump`` what is added to it;
    ``uid`` is the cluster's. ``members`` had their data when the cluster served again. On hosts and in older versions
    the timestamp is called ``stamp``.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    format: Literal[1] = 1
    timestamp: Timestamp = Field(alias="stamp")
    stage: Stage
    source: Annotated[str, Field(max_length=300)]
    database: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    revision: Annotated[Count, Field(ge=0)]
    bump: Annotated[Count, Field(ge=0)]
    uid: Annotated[str, Field(pattern=r"^[0-9a-f-]{0,36}$")]
    members: tuple[MemberName, ...] = ()

    def replacing(self) -> Journal:
        """The same restore once the cluster is about to be stopped."""
        return self.model_copy(update={"stage": "replacing"})

    def serving(self, members: Sequence[str]) -> Journal:
        """The same restore once these members have their data: it is never replaced again."""
        return self.model_copy(update={"stage": "serving", "members": tuple(members)})

    def content(self) -> bytes:
        """The file on hosts."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=1).encode() + b"\n"

    @property
    def subject(self) -> tuple[object, ...]:
        """What all hosts of one restore agree on, whatever stage each has reached."""
        return self.timestamp, self.source, self.database, self.revision, self.bump, self.uid

    @property
    def staging(self) -> str:
        """The directory in which the new data is made, beside the old."""
        return f"{host_paths.ETCD_DATA}/restore-{self.timestamp}"

    @property
    def previous_data(self) -> str:
        """The directory that the old data is moved to."""
        return f"{host_paths.ETCD_DATA}/aside-{self.timestamp}"


STAGES: tuple[Stage, ...] = ("preparing", "replacing", "serving")


class MovedData(BaseModel):
    """Old etcd data on a host. ``size`` in bytes."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    size: Count


class Leftovers(BaseModel):
    """What a host holds of restores: the journal of one under way, old data, and its free space beside etcd's data.

    ``staged``: directories of an upgrade that has not come to its end there.
    ``etcd_unmounted``: etcd's data directory should be a disk of its own, which is not mounted.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    journal: Journal | None = None
    previous_data: tuple[MovedData, ...] = ()
    staged: tuple[Annotated[str, Field(max_length=100)], ...] = ()
    etcd_free_bytes: Count = 0
    etcd_unmounted: bool = False


def under_way(journals: Mapping[str, Journal | None], serving: Mapping[str, bool]) -> Journal | None:
    """The restore that has to be completed, or None.

    ``journals``: by host, of all that a restore would have reached. More than half of them must know it, and its
    stage is the furthest that more than half have reached: every journal is written before a stage begins, so while
    fewer have it nothing of that stage was done. ``serving``: by member, whether it reads through quorum. A restore
    that was only prepared has changed nothing of a cluster that serves.
    """
    needed = majority(len(journals)) if journals else 1
    reported = [journal for journal in journals.values() if journal is not None]
    counted = Counter(journal.subject for journal in reported)
    known = [journal for journal in reported if counted[journal.subject] >= needed]
    if not known:
        return None
    stages = sorted((STAGES.index(journal.stage) for journal in known), reverse=True)
    stage = STAGES[stages[needed - 1]]
    if stage == "preparing" and 2 * sum(serving.values()) > len(serving):
        return None
    at_stage = Counter(journal for journal in known if journal.stage == stage)
    return at_stage.most_common(1)[0][0]
