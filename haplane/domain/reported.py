"""The base of every part of a host's report, and the texts in it: hosts are untrusted input, so all are bounded."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MOST = 1 << 63
Count = Annotated[int, Field(ge=-MOST, le=MOST)]
Number = Annotated[float, Field(ge=-MOST, le=MOST)]
"""Of sizes, counts and times. Larger ones overflow a float, or take more digits than Python prints."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ShortText = Annotated[str, Field(max_length=400)]
Text = Annotated[str, Field(max_length=1000)]


class Observed(BaseModel):
    """Frozen, and tolerant of what it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
