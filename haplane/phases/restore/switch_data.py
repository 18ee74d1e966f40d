"""The new data in the place of the old."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import restore as recipes
from haplane.deploys.etcd_recipes import move_etcd_data
from haplane.observation.restore import leaving_members, members_due, restoration, up_to
from haplane.procedures.restore_journal import write_journal


def switch_data(context: Context) -> None:
    """Old data moved away, new data in its place, all members started together."""
    journal, hosts = restoration(context).journal, members_due(context)
    context.deploy(leaving_members(context), move_etcd_data, timestamp=journal.timestamp)
    context.deploy(hosts, recipes.switch_data, staging=journal.staging, previous=journal.previous_data)
    context.deploy(hosts, recipes.start_restored)
    write_journal(context, journal.serving([*journal.members, *(host.name for host in hosts)]))


SWITCH_DATA = Phase("Switch to the new data", (), switch_data, when=up_to("replacing"))
