"""How old the data to restore is, and whether anybody signed it: shown for every source."""

from __future__ import annotations

from haplane.config.model import Inventory
from haplane.domain.assessment import too_old
from haplane.domain.durations import in_words
from haplane.errors import Refused
from haplane.recovery.candidates import Origin, Source
from haplane.recovery.context import RestoreContext


def signature_of(source: Source) -> str:
    """What proves where it is from."""
    if source.origin is Origin.MEMBER:
        return "read from the member, not signed"
    return "signed by this cluster" if source.signed else "not signed"


def when_taken(context: RestoreContext, source: Source) -> tuple[str, ...]:
    """The plan line with the time it was taken; none for a member's data."""
    if source.origin is Origin.MEMBER:
        return ()
    unproven = "" if source.signed else " (the file's own date)"
    age = in_words(source.age_seconds(context.now))
    return (f"  taken {source.taken_at:%Y-%m-%d %H:%M:%S} UTC, {age} ago{unproven}",)


def why_too_old(inventory: Inventory, age_seconds: float) -> str | None:
    """Why newer snapshots than one of that age should exist: three intervals have passed. None when it is young."""
    settings = inventory.cluster.snapshots
    if settings is None or not too_old(age_seconds, settings.interval_seconds):
        return None
    return (
        f"it is {in_words(age_seconds)} old and one is taken every {in_words(settings.interval_seconds)}, so newer "
        "ones should be there: no member and no bucket that responded has one"
    )


def refuse_old(context: RestoreContext, source: Source) -> None:
    """Raises Refused for a stored snapshot older than three intervals, unless --accept-loss was given.

    Whoever can write to the bucket can remove the newer ones; what is left is signed, and old.
    """
    stored = source.origin is Origin.STORED or (source.origin is Origin.FILE and source.signed)
    age = source.age_seconds(context.now)
    why = why_too_old(context.inventory, age)
    if context.request.accept_loss or not stored or why is None:
        return
    raise Refused(
        f"this snapshot is {in_words(age)} old: every write since then would be lost; nothing was changed",
        where=source.name,
        why=why,
        next_step=f"look for newer ones (`haplane snapshot list {context.inventory.path}`); "
        "if it is the newest there is, or you want to go back in time, add --accept-loss",
    )
