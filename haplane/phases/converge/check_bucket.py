"""Whether members can write to the bucket and read from it."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.domain.plan import Kind
from haplane.threads import on_all

CHECK_SECONDS = 120


def check_bucket(context: Context) -> None:
    """Every member writes an object and reads it back. A failure becomes a warning: snapshots stay local."""
    snapshots = context.inventory.cluster.snapshots
    if snapshots is None or snapshots.s3 is None:
        return
    hosts = context.reachable(context.inventory.etcd)
    context.progress(", ".join(host.name for host in hosts), "Put an object into the bucket and read it back")
    _, errors = on_all(hosts, lambda host: context.executor.call_agent(host, "check", CHECK_SECONDS))
    context.result.warnings += [
        f"{name} cannot use the bucket {snapshots.s3.bucket}: {error.brief}" for name, error in errors.items()
    ]


def needs_bucket_check(context: Context) -> bool:
    """Whether nothing else is due, and a member reports an error of its snapshots or has no verified one yet."""
    if (
        context.inventory.cluster.snapshots is None
        or context.plan.steps
        or context.result.changed
        or context.request.dry_run
    ):
        return False
    reported = [context.report(host).snapshots for host in context.reachable(context.inventory.etcd)]
    states = [snapshots.state if snapshots else None for snapshots in reported]
    return any(state is None or state.last_verified is None or state.last_error is not None for state in states)


CHECK_BUCKET = Phase("Check access to the bucket", (Kind.BUCKET,), check_bucket, when=needs_bucket_check)
