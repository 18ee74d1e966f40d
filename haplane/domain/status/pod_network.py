"""What pods lack of a node's network, though the node and they are Ready."""

from __future__ import annotations

from haplane.domain.observed import Kubernetes, Observation
from haplane.domain.plan import few
from haplane.domain.problem import UP, Ends, Problem, on, problem
from haplane.domain.refusals import fix_of_refusal
from haplane.domain.status.dns import ask_kube_proxy
from haplane.domain.status.model import Roster
from haplane.domain.steps.pod_network import FLANNEL, KUBE_PROXY, daemon_set, lost_on, ready_nodes, refused_pods

LACKS = {
    KUBE_PROXY: "its pods reach no service",
    FLANNEL: "its pods do not reach what is on other nodes or outside of the cluster, or do not start",
}


def pod_network_problems(roster: Roster, observation: Observation, kubernetes: Kubernetes | None) -> list[Problem]:
    """By node."""
    reports, found = observation.reports, []
    ends = {name: fix_of_refusal(name, why) for name, why in refused_pods(reports).items()}
    for name in ready_nodes((*roster.masters, *roster.workers), reports, kubernetes):
        lost = lost_on(name, roster.tables, reports, kubernetes, tunnel=roster.pod_tunnel)
        found += [
            problem(f"{name}: {LACKS[table]}", why=why, fix=ends.get(daemon_set(table), UP))
            for table, why in lost.items()
        ]
        if (stale := reports[name].pod_network.proxy) and KUBE_PROXY not in lost:
            what = f"{name}: kube-proxy there does not apply changes of Services and endpoints"
            found.append(problem(what, why=stale, fix=ask_kube_proxy(name)))
    return found


def taken_networks(roster: Roster, observation: Observation) -> list[Problem]:
    """Networks that a node got since it was new, inside of the cluster's own: a more specific route wins.

    A wider one only hides hosts of that network from pods, and a cluster that lives with it is healthy.
    """
    found = []
    for name in (*roster.masters, *roster.workers):
        report = observation.reports.get(name)
        if report is None or report.fresh:
            continue
        for setting, wanted in _own_networks(roster).items():
            by_gateway = setting == "pod_network" and not roster.pod_tunnel
            inside = [
                str(one)
                for one in report.surroundings.of_others(wanted, ())
                if one.is_inside(wanted) and not (by_gateway and one.gateway)
            ]
            if inside:
                fix = on(name, f"ip -4 route show table all root {wanted}")
                found.append(
                    problem(
                        f"{name}: {few(inside)} {'is' if len(inside) == 1 else 'are'} inside {setting} {wanted}",
                        why="an address or a route of its own takes what is meant for the cluster",
                        fix=f"{fix} lists them: remove what is not flannel's, and what adds it (a VPN, netplan)",
                        ends=Ends.BY_ITS_FIX,
                    )
                )
    return found


def _own_networks(roster: Roster) -> dict[str, str]:
    """Those whose routes are known: another pod network than flannel may have any."""
    found = {"service_network": roster.service_network}
    return {"pod_network": roster.pod_network, **found} if roster.own_pod_network else found
