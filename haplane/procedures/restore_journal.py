"""The record of a restore, on every host that it is about."""

from __future__ import annotations

from dataclasses import replace

from haplane.context.context import Context
from haplane.deploys import restore as recipes
from haplane.domain import host_paths
from haplane.domain.files import Part, WantedFile
from haplane.domain.restoration import Journal
from haplane.observation.restore import hosts_of, restoration


def write_journal(context: Context, journal: Journal) -> None:
    """How far the restore is from now on, for this run and for one that completes it."""
    given = replace(restoration(context), journal=journal)
    context.adopt(replace(context.decision, restoration=given))
    file = WantedFile(host_paths.RESTORE_JOURNAL_JSON, journal.content(), Part.HOST, 0o600)
    context.deploy(hosts_of(context), recipes.write_journal, journal=file, staging=journal.staging)
