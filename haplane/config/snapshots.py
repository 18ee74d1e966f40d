"""The mapping ``cluster["snapshots"]``: how often, to whom encrypted, where to, and what is kept. Pure.

Files named here are on this machine; what hosts need of them is sent there. ``directory`` is on the hosts.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from haplane.config.base import Settings
from haplane.config.storage import (
    DNS_BUCKET,
    BucketName,
    HostDirectory,
    KmsKey,
    ObjectPrefix,
    ProxyUrl,
    RegionName,
    ServiceUrl,
)
from haplane.config.values import (
    AgeRecipient,
    FilePath,
    Interval,
    PublicKey,
    Word,
    between,
    many,
    not_empty,
    refusal,
)
from haplane.domain import host_paths

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
    (an instance's role). ``ca_file``: the CAs of an endpoint, or of a proxy, with a private one.
    ``server_side_encryption`` and ``kms_key_id`` go with every upload; a bucket's own default needs neither.
    """

    bucket: BucketName
    endpoint_url: ServiceUrl | None = None
    region: RegionName = "us-east-1"
    prefix: ObjectPrefix = ""
    path_style: bool = True
    ca_file: FilePath | None = None
    credentials_file: FilePath | None = None
    server_side_encryption: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = None
    kms_key_id: KmsKey | None = None
    proxy: ProxyUrl | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.kms_key_id is not None and not (self.server_side_encryption or "").startswith("aws:kms"):
            raise refusal(
                'cluster["snapshots"]["s3"]["kms_key_id"] without encryption by KMS',
                'set cluster["snapshots"]["s3"]["server_side_encryption"] = "aws:kms"',
            )
        host = (self.endpoint_url or "").partition("//")[2].partition("/")[0]
        address = host.startswith("[") or re.fullmatch(r"[0-9.]+(:[0-9]+)?", host)
        if not self.path_style and (address or not DNS_BUCKET.fullmatch(self.bucket)):
            raise refusal(
                'cluster["snapshots"]["s3"]["path_style"] is False, which needs DNS names of endpoint and bucket',
                'remove cluster["snapshots"]["s3"]["path_style"]',
            )
        return self


class OnFailure(Settings):
    """Who hears of a snapshot that failed: a command on the member (the reason on its stdin), a webhook (POST)."""

    command: Annotated[tuple[Word, ...], many] = ()
    webhook: ServiceUrl | None = None


class Snapshots(Settings):
    """Present when snapshots are taken. The interval is that between snapshots of the cluster, in seconds.

    ``signing_key`` is the public half of the cluster's, as ``haplane up`` prints it; ``previous_signing_keys`` are
    those from before a rotation, whose snapshots still count. What a key in ``revoked_signing_keys`` signed, a
    member's or a cluster's, does not count. ``max_bytes``: what local snapshots may take of a member's disk; without
    it what the disk has free is the limit.
    """

    recipients: Annotated[tuple[AgeRecipient, ...], many, not_empty]
    interval_seconds: Interval = 60
    signing_key: PublicKey | None = None
    previous_signing_keys: Annotated[tuple[PublicKey, ...], many] = ()
    revoked_signing_keys: Annotated[tuple[PublicKey, ...], many] = ()
    directory: HostDirectory = host_paths.SNAPSHOTS
    max_bytes: Annotated[int, between(MEBIBYTE, 1 << 50)] | None = None
    keep_local: Keep = Keep(last=10, hourly=12, daily=3)
    keep_remote: Keep = Keep(last=60, hourly=48, daily=14, weekly=8, monthly=12)
    s3: S3 | None = None
    on_failure: OnFailure = Field(default_factory=OnFailure)
