"""The base of every part of a host's report: validated, frozen, tolerant of unknown keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
)

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Observed(BaseModel):
    """Frozen, and tolerant of what it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
