"""What all hosts returned to one query: values by host, and why others returned none. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

TOO_LATE = "connected, but no report within"
"""Before how many seconds it had, of a host that is there and too slow."""


@dataclass
class Gathered:
    """A value for each host that responded, a reason for each that did not.

    ``first_contacts`` are the fingerprints of host keys that were in no known_hosts file.
    """

    values: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    first_contacts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AtRest:
    """How many Secrets are stored, how many of them not under the key, and the names of ``some`` of those."""

    total: int
    others: int
    some: tuple[str, ...]
