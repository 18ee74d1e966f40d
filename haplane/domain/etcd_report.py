"""The etcd member of a host, as the host reports it."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import (
    Field,
)

from haplane.domain.etcd_failure import Failure, FailureKind, failure
from haplane.domain.names import HexId, Id, MemberName, MemberUrl, Revision
from haplane.domain.reported import Count, Observed


class EtcdMember(Observed):
    """One entry of the member list as this member has it."""

    id: Annotated[Id, Field(alias="ID")]
    name: MemberName = ""
    peer_urls: Annotated[tuple[MemberUrl, ...], Field(alias="peerURLs")] = ()
    is_learner: Annotated[bool, Field(alias="isLearner")] = False


class EtcdHeader(Observed):
    """Who answered."""

    cluster_id: Id = 0
    member_id: Id = 0
    revision: Revision = 0


class EtcdStatus(Observed):
    """``etcdctl endpoint status`` of the local member. Sizes in bytes.

    ``storage_version`` is the one whose format the data have; etcd 3.5 and older do not report it.
    """

    header: EtcdHeader
    version: str = ""
    storage_version: Annotated[str, Field(alias="storageVersion")] = ""
    db_size: Annotated[Count, Field(alias="dbSize")] = 0
    db_size_in_use: Annotated[Count, Field(alias="dbSizeInUse")] = 0
    db_size_quota: Annotated[Count, Field(alias="dbSizeQuota")] = 0
    raft_index: Annotated[Count, Field(alias="raftIndex")] = 0
    raft_applied_index: Annotated[Count, Field(alias="raftAppliedIndex")] = 0
    leader: Id = 0
    is_learner: Annotated[bool, Field(alias="isLearner")] = False
    errors: tuple[str, ...] = ()


class Etcd(Observed):
    """The local member. ``bootstrapped`` says that it has once been part of a healthy cluster.

    ``data_cluster_id`` is of the cluster whose data is on the disk, whether etcd runs or not.
    ``outsiders`` says of members that the inventory does not name, by their IDs in hexadecimal, whether they serve;
    ``denies``: it reads through quorum, but for users alone; etcd's authentication is enabled.
    ``cut_off``: connections to its port are dropped on its own host, so that nothing is known of it.
    ``reached_peers`` are the IDs of other members that answer there, None where that is not known.
    ``last_words`` are lines of the journal of a member that does not answer, oldest first.
    """

    bootstrapped: bool
    has_data: bool
    status: EtcdStatus | None
    members: tuple[EtcdMember, ...] | None
    reads_through_quorum: bool
    denies: bool = False
    data_cluster_id: Id | None = None
    outsiders: dict[HexId, bool] = Field(default_factory=dict)
    cut_off: bool = False
    reached_peers: Annotated[tuple[HexId, ...], Field(max_length=100)] | None = None
    last_words: Annotated[tuple[Annotated[str, Field(max_length=2000)], ...], Field(max_length=100)] = ()

    @cached_property
    def failure(self) -> Failure | None:
        """Why it does not answer, None while it answers or left no log."""
        return failure(self.last_words) if self.status is None else None

    @property
    def has_quorum(self) -> bool:
        """Whether a read through quorum succeeds for somebody."""
        return self.reads_through_quorum or self.denies

    @property
    def leads(self) -> bool:
        """Whether it is etcd's leader."""
        return self.status is not None and self.status.leader == self.status.header.member_id

    @property
    def damaged(self) -> bool:
        """Whether its own last words are that its data are corrupt."""
        return self.failure is not None and self.failure.kind is FailureKind.DAMAGED
