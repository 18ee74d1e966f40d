"""The record of a host's snapshot agent, as the host reports it."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    AwareDatetime,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from haplane.domain.reported import Count, Number, Observed, Sha256

INTERVALS = 3
"""A verified snapshot that is older than so many intervals is too old: newer ones are missing."""


class LastSnapshot(Observed):
    """The last verified one, which was taken with quorum. ``seconds`` is how long its whole pipeline took."""

    id: str
    taken_at: AwareDatetime
    verified_at: AwareDatetime
    seconds: Number
    revision: Count = 0


class LastAttempt(Observed):
    """``outcome`` is delivered, without-quorum, local-only or failed."""

    at: AwareDatetime | None
    outcome: str


class LastError(Observed):
    """Why the last run failed; None after the next verified snapshot."""

    at: AwareDatetime | None
    message: str


class SnapshotState(Observed):
    """What the agent records of its runs. Its file calls the last verified snapshot ``last_good``."""

    model_config = ConfigDict(populate_by_name=True)

    last_verified: LastSnapshot | None = Field(default=None, alias="last_good")
    last_attempt: LastAttempt | None = None
    last_error: LastError | None = None
    without_quorum: Count = 0
    skipped: Count = 0


class Sealed(Observed):
    """Which keys the sealed file holds, the digest of that file, and the recipients that can decrypt it."""

    fingerprint: str
    sha256: Sha256
    recipients: tuple[str, ...]


class MemberSigner(Observed):
    """The certification of the member's signing key, its signature as base64, and the digest of the key's file."""

    statement: Annotated[str, Field(max_length=1024)]
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{86}==$")]
    key_sha256: Sha256


class SnapshotReport(Observed):
    """``agent`` names the installed one, ``local`` counts whole snapshots kept on the host."""

    agent: str | None = None
    state: SnapshotState | None = None
    sealed: Sealed | None = None
    signer: MemberSigner | None = None
    local: Count = 0

    @field_validator("state", "sealed", "signer", mode="wrap")
    @classmethod
    def unreadable_is_none(cls, value: object, parse: ValidatorFunctionWrapHandler) -> object:
        """A damaged file of the agent must not hide everything else that the host reports."""
        try:
            return parse(value)
        except ValidationError:
            return None
