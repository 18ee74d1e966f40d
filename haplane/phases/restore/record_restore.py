"""The record of the restore: written before anything else, deleted in the end."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import restore as recipes
from haplane.observation.restore import hosts_of, restoration, up_to
from haplane.procedures.restore_journal import write_journal


def record_restore(context: Context) -> None:
    """The journal, before anything else is written: from now on `up` does not touch these hosts."""
    write_journal(context, restoration(context).journal)


def remove_record(context: Context) -> None:
    """The restore is complete: only the old data stays."""
    context.deploy(hosts_of(context), recipes.complete)


RECORD_RESTORE = Phase("Record the restore on every host", (), record_restore, when=up_to("preparing"))
REMOVE_RECORD = Phase("Delete the record of the restore", (), remove_record, when=up_to("serving"))
