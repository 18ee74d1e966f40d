"""haproxy and keepalived: the endpoint every client knows."""

from __future__ import annotations

from collections.abc import Sequence

from haplane.config.model import Host
from haplane.deploys.recipes import give_address_up, start_balancer
from haplane.domain.files import Part
from haplane.domain.plan import HAPROXY_CLIENT, HAPROXY_KEYS, Kind
from haplane.phases.phase import Phase, Run
from haplane.remote.session import deploy


def start_balancers(run: Run) -> None:
    """The ones that are not up or whose configuration changed. A reload cuts no connection.

    A leaving one gives the address up first; one that starts has to hear those that run already.
    """
    deploy([host for host in run.hosts(Kind.LEAVE) if _holds(run, host)], give_address_up, run.progress)
    hosts = run.hosts(Kind.BALANCER)
    running = [host for host in hosts if _holds(run, host)]
    for group in (running, [host for host in hosts if host not in running]):
        deploy(group, start_balancer, run.progress, paths_of=paths_of(run, group))


def _holds(run: Run, host: Host) -> bool:
    """Whether it holds the endpoint's address, or may do so any moment."""
    report = run.observation.reports.get(host.name)
    return report is not None and "keepalived" in report.units and report.units["keepalived"].active


def paths_of(run: Run, hosts: Sequence[Host]) -> dict[str, dict[str, tuple[str, ...]]]:
    """By unit and host, what the unit reads when it is loaded: haproxy its keys too, where it dials etcd."""
    files = {part.value: run.paths(hosts, part) for part in (Part.HAPROXY, Part.KEEPALIVED)}
    for host in hosts:
        if HAPROXY_CLIENT in run.wants[host.name].identity:
            files[Part.HAPROXY.value][host.name] += HAPROXY_KEYS
    return files


START_BALANCERS = Phase("Start load balancers", (Kind.BALANCER,), start_balancers, also_after=(Kind.LEAVE,))
