"""Masters and members that leave: drained, stopped, off etcd's list, forgotten, and clean again; one at a time."""

from __future__ import annotations

import time

from haplane.config.model import Host
from haplane.deploys import recipes
from haplane.domain.guard import may_restart_apiserver
from haplane.domain.membership import Blocked
from haplane.domain.membership import leave as next_leave
from haplane.domain.plan import APISERVER_MANIFEST, Kind
from haplane.phases.change_members import PATIENCE_SECONDS, remove
from haplane.phases.membership import current, refused
from haplane.phases.observe import observe
from haplane.phases.phase import Phase, Run
from haplane.phases.rolling import refuse_unless
from haplane.phases.take_off import take_off
from haplane.remote.session import deploy


def leave(run: Run) -> None:
    """One host after the other. The load balancers have sent it nothing new since they were started."""
    for host in run.hosts(Kind.LEAVE):
        observe(run)
        reached = run.reachable([host])
        if reached and APISERVER_MANIFEST in run.report(host).files:
            refuse_unless(run, host, (*run.inventory.masters, host), may_restart_apiserver)
            deploy([run.some_master()], recipes.drain_node, run.progress, node=host.name)
            deploy([host], recipes.stop_control_plane, run.progress)
        _leave_etcd(run, host)
        deploy([run.some_master()], recipes.forget_node, run.progress, node=host.name)
        if reached:
            take_off(run, [host], run.now().strftime("%Y%m%dT%H%M%SZ"))


def _leave_etcd(run: Run, host: Host) -> None:
    """As soon as it may: a member that has just come up may not have been seen to serve yet."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while member := next((one for one in current(run).voters if one.address == str(host.address)), None):
        change = next_leave(current(run), member)
        if not isinstance(change, Blocked):
            remove(run, change)
        elif time.monotonic() >= deadline:
            raise refused(change, run.inventory.path)
        observe(run)


LEAVE = Phase("Take leaving hosts out, one at a time", (Kind.LEAVE,), leave)
