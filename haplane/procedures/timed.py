"""How long a step takes, for the run's log: the plan of the next upgrade shows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from haplane.context.context import Context
from haplane.domain.plan import Kind
from haplane.domain.timetable import done


@contextmanager
def timed(context: Context, subject: str, kind: Kind) -> Iterator[None]:
    """Report it once the block has ended well; ``subject`` is a host, or the cluster."""
    began = context.executor.monotonic()
    yield
    context.progress(subject, done(kind, context.executor.monotonic() - began))
