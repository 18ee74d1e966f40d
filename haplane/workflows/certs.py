"""``haplane certs status``: observe and list. It changes nothing and needs no lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from haplane.config.model import Inventory
from haplane.context.context import Context
from haplane.context.request import Request
from haplane.desired.certificates import every_certificate
from haplane.domain.progress import Progress
from haplane.domain.status import Certificate
from haplane.executor import Executor
from haplane.observation.observe import observe
from haplane.workflows.prepare import over_ssh


@dataclass(frozen=True)
class Listing:
    """``certificates``: the first to expire first. ``unreachable`` says of hosts why nothing of theirs is listed."""

    certificates: tuple[Certificate, ...]
    unreachable: Mapping[str, str]


def list_certificates(inventory: Inventory, progress: Progress, *, executor: Executor | None = None) -> Listing:
    """Every certificate on every host that answers. Raises Unreachable when none does."""
    context = Context(Request(inventory), executor or over_ssh(progress))
    observe(context)
    found = every_certificate(inventory, context.observation.reports, context.now())
    return Listing(found, context.observation.unreachable)
