"""Tokens of service accounts, as one master's API server issues them: the shape of ``facts/on_host/tokens.py``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from haplane.domain.pod_network_report import Address
from haplane.domain.reported import Observed, Text


class Tokens(Observed):
    """``refused``: why it issues none. ``unknown_at``: API servers that do not know what it issues."""

    refused: Text = ""
    unknown_at: Annotated[tuple[Address, ...], Field(max_length=20)] = ()
