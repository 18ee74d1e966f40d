"""etcd's data, made of the snapshot beside the old data."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import restore as recipes
from haplane.errors import HaplaneError
from haplane.observation.restore import members_due, restoration, up_to


def rebuild_data(context: Context) -> None:
    """The snapshot to every member, and there into a data directory of its own."""
    given, hosts = restoration(context), members_due(context)
    journal, database = given.journal, given.database
    if database is None:
        raise HaplaneError("the snapshot is not at hand", next_step="run the same command again")
    context.progress(", ".join(host.name for host in hosts), f"sending {database.size / (1 << 20):.0f} MiB")
    context.executor.send_database(hosts, database.path, database.sha256, f"{journal.staging}/snapshot.db")
    urls = {host.name: f"https://{host.address}:2380" for host in context.inventory.etcd}
    context.deploy(
        hosts,
        recipes.rebuild_data,
        staging=journal.staging,
        bump=journal.bump,
        token=f"{context.inventory.cluster.name}-{journal.timestamp}",
        initial_cluster=",".join(f"{name}={url}" for name, url in sorted(urls.items())),
        peer_urls=urls,
    )


REBUILD_DATA = Phase("Rebuild etcd's data beside the old data", (), rebuild_data, when=up_to("replacing"))
