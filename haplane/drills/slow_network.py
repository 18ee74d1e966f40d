"""Every packet that one etcd member's host sends is 100 ms late; two such hosts: 100 ms each way."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault, shell
from haplane.drills.targets import the_leader
from haplane.errors import HaplaneError, Refused
from haplane.scripts import script

DELAY_MS = 100


def plan(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """The etcd leader's host and all others of etcd. Raises Refused where a kernel cannot delay packets."""
    the_leader(context, status, wanted)
    hosts = context.inventory.etcd
    for host in hosts:
        try:
            context.executor.run(host, "sh", "-c", script("can_delay_packets"))
        except HaplaneError as error:
            raise Refused(
                "packets cannot be delayed here", where=host.name, why=f"its kernel has no netem: {error.why}"
            ) from None
    delays = [script("delay_packets", address=str(host.address), milliseconds=str(DELAY_MS)) for host in hosts]
    undo = [script("stop_delaying_packets", address=str(host.address)) for host in hosts]
    names = ", ".join(host.name for host in hosts)
    return Fault(
        host=names,
        role="all etcd hosts",
        announcement=f"It delays all that {names} send by {DELAY_MS} ms for 20 s: {DELAY_MS} ms each way.",
        parts=tuple(shell(*each) for each in zip(hosts, delays, undo, strict=True)),
        at_least=20.0,
    )


DRILL = Drill("slow-network", f"Delay every packet between etcd hosts by {DELAY_MS} ms each way.", plan)
