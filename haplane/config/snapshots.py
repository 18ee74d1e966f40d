"""The mapping ``cluster["snapshots"]``: how often, to whom encrypted, where to, and what is kept. Pure.

Files named here are on this machine; what hosts need of them is sent there. ``directory`` is on the hosts.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from haplane.config.base import Settings
from haplane.config.values import (
    AgeRecipient,
    BucketName,
    FilePath,
    HostDirectory,
    Interval,
    ObjectPrefix,
    PublicKey,
    RegionName,
    ServiceUrl,
    Word,
    between,
    many,
    not_empty,
)

Count = Annotated[int, between(0, 10_000)]
MEBIBYTE = 1 << 20


class Keep(Settings):
    """How many to keep: the last ones, and the newest of so many hours, days, weeks and months."""

    last: Annotated[int, between(1, 10_000)] = 10
    hourly: Count = 0
    daily: Count = 0
    weekly: Count = 0
    monthly: Count = 0


class S3(Settings):
    """A bucket of AWS or of anything compatible. Hosts need to put and read objects there, never to delete.

    ``credentials_file`` is in AWS's format of shared credentials; without it hosts use what their environment offers
    (an instance's role). ``ca_file``: the authority of an endpoint with a private one.
    """

    bucket: BucketName
    endpoint_url: ServiceUrl | None = None
    region: RegionName = "us-east-1"
    prefix: ObjectPrefix = ""
    path_style: bool = True
    ca_file: FilePath | None = None
    credentials_file: FilePath | None = None


class OnFailure(Settings):
    """Who hears of a snapshot that failed: a command on the member (the reason on its stdin), a webhook (POST)."""

    command: Annotated[tuple[Word, ...], many] = ()
    webhook: ServiceUrl | None = None


class Snapshots(Settings):
    """Present when snapshots are taken. The interval is that between snapshots of the cluster, in seconds.

    ``signing_key`` is the public half of the cluster's, as ``haplane up`` prints it. ``max_bytes``: what local
    snapshots may take of a member's disk; without it what the disk has free is the limit.
    """

    recipients: Annotated[tuple[AgeRecipient, ...], many, not_empty]
    interval_seconds: Interval = 60
    signing_key: PublicKey | None = None
    directory: HostDirectory = "/var/lib/haplane/snapshots"
    max_bytes: Annotated[int, between(MEBIBYTE, 1 << 50)] | None = None
    keep_local: Keep = Keep(last=10, hourly=12, daily=3)
    keep_remote: Keep = Keep(last=60, hourly=48, daily=14, weekly=8, monthly=12)
    s3: S3 | None = None
    on_failure: OnFailure = Field(default_factory=OnFailure)
