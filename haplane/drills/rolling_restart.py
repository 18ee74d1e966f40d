"""Every control plane is restarted, one after the other, and no request fails."""

from __future__ import annotations

import json

from haplane.domain import host_paths
from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault
from haplane.drills.limits import Limits
from haplane.errors import BadInput, Refused

EDIT = f"echo '# edited by a drill' >>{host_paths.KUBEADM_CONFIG_YAML}"


def plan(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """Of all masters. Raises Refused while `up` would change anything else."""
    if wanted is not None:
        raise BadInput("this drill is about all masters", where="HOST", next_step="leave HOST out")
    path, masters = context.inventory.path, context.inventory.masters
    if pending := json.loads(context.haplane("up", path, "--dry-run", "--json"))["plan"]:
        raise Refused(
            "`haplane up` has other things to do here", why="; ".join(pending[:3]), next_step=f"`haplane up {path}`"
        )
    names = ", ".join(host.name for host in masters)
    return Fault(
        host=names,
        role="all masters",
        announcement=f"It edits {host_paths.KUBEADM_CONFIG_YAML} on {names}, so that `haplane up` restarts each "
        "control plane, one after the other.",
        prepare=lambda: [context.executor.run(host, "sh", "-c", EDIT) for host in masters],
        work=lambda: context.haplane("up", path, "--yes"),
        at_most=0.0,
        runs_verbs=True,
    )


DRILL = Drill(
    "rolling-restart",
    "Restart every control plane through `haplane up`: no request may fail.",
    plan,
    Limits(read_gap=0, write_gap=0, failed_requests=0),
)
