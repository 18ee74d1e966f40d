"""A restore as the hosts remember it, so that the same command completes one that was interrupted. Pure.

The invariant: **data is replaced at most once per restore.** Before an API server is let back, every host's journal
says SERVING and names the members that have their data; what is written from then on is never replaced by a resume.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

JOURNAL = "/var/lib/haplane/restore.json"
ETCD_DATA = "/var/lib/etcd"

Stamp = Annotated[str, Field(pattern=r"^[0-9]{8}T[0-9]{6}Z$")]
Stage = Literal["preparing", "replacing", "serving"]


class Journal(BaseModel):
    """``revision`` is the restored one and ``bump`` what is added to it; ``members`` had their data when it served.

    ``database`` is the SHA-256 of the etcd snapshot, ``source`` its name for people, ``uid`` the cluster's.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal[1] = 1
    stamp: Stamp
    stage: Stage
    source: Annotated[str, Field(max_length=300)]
    database: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    revision: Annotated[int, Field(ge=0)]
    bump: Annotated[int, Field(ge=0)]
    uid: Annotated[str, Field(pattern=r"^[0-9a-f-]{0,36}$")]
    members: tuple[str, ...] = ()

    def replacing(self) -> Journal:
        """The same restore, from the moment at which the cluster is stopped."""
        return self.model_copy(update={"stage": "replacing"})

    def serving(self, members: Sequence[str]) -> Journal:
        """The same restore once these members have their data: it is never replaced again."""
        return self.model_copy(update={"stage": "serving", "members": tuple(members)})

    def content(self) -> bytes:
        """As it lies on hosts."""
        return json.dumps(self.model_dump(mode="json"), indent=1).encode() + b"\n"

    @property
    def staging(self) -> str:
        """Where the new data is made, beside the old."""
        return f"{ETCD_DATA}/restore-{self.stamp}"

    @property
    def aside(self) -> str:
        """Where the old data is kept."""
        return f"{ETCD_DATA}/aside-{self.stamp}"


STAGES: tuple[Stage, ...] = ("preparing", "replacing", "serving")


class Aside(BaseModel):
    """Old data that a restore has kept on a host. Sizes in bytes."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    size: int


class Remains(BaseModel):
    """What a host tells of restores: one that is under way, what earlier ones kept, free space beside etcd's data."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    journal: Journal | None = None
    aside: tuple[Aside, ...] = ()
    etcd_free_bytes: int = 0


def under_way(journals: Mapping[str, Journal | None], serving: Mapping[str, bool]) -> Journal | None:
    """The restore that has to be completed, or None. ``serving``: by host, whether its member reads through quorum.

    The furthest journal counts, except where a member serves whose host has none: that restore is over, and a host
    that still remembers it was left out. One that was only prepared has changed nothing of a cluster that serves.
    """
    if any(serves and journals.get(name) is None for name, serves in serving.items()):
        return None
    found = [journal for journal in journals.values() if journal is not None]
    furthest = max(found, key=lambda journal: (journal.stamp, STAGES.index(journal.stage)), default=None)
    if furthest is not None and furthest.stage == "preparing" and any(serving.values()):
        return None
    return furthest
