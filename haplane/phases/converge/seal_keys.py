"""The cluster's keys, sealed where they or the recipients changed."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.domain.plan import Kind
from haplane.procedures.seal_keys import seal_keys_on


def seal_keys(context: Context) -> None:
    """On the members of the plan."""
    seal_keys_on(context, context.hosts(Kind.SEAL))


SEAL_KEYS = Phase("Seal the cluster's keys", (Kind.SEAL,), seal_keys)
