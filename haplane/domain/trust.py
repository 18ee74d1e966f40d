"""Which host's report counts for what. Pure.

Two rules keep one host that lies from costing a cluster:

**A host is believed for what its role can know.** Files, units and addresses of itself are any host's; etcd is known
to members only, the API to masters only, a restore to those that take part in it, the endpoint to load balancers and
masters. :func:`believed` takes everything else out of a report, once, where the observation is made. A member that
runs another cluster than the others reads through the quorum of that one only.

**Nothing is destroyed on the word of one host.** Facts that several hosts can know are what a majority of them
reports (:mod:`haplane.domain.consensus`, ``listed_members``), and a Node is deleted only when its own host reports
that it is no node any more, or when :func:`is_gone`; one is missing only when :func:`is_absent`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from haplane.domain.apiserver_report import Apiserver
from haplane.domain.balancer_report import Balancer
from haplane.domain.cluster_health import Components
from haplane.domain.etcd_report import Etcd
from haplane.domain.observed import HostReport, Observation
from haplane.domain.quorum import majority
from haplane.domain.stale_members import stale_members
from haplane.domain.tokens import Tokens

NO_ETCD = Etcd(bootstrapped=False, has_data=False, status=None, members=None, reads_through_quorum=False)
NO_APISERVER = Apiserver(ready=False)
NO_BALANCER = Balancer(holds_endpoint=False, endpoint_answers=False, servers=None)


@dataclass(frozen=True)
class Roles:
    """Names of hosts by what the inventory makes of them; a host may be in several groups."""

    masters: frozenset[str]
    etcd: frozenset[str]
    leaving: frozenset[str] = frozenset()
    balancers: frozenset[str] = frozenset()


def believed(roles: Roles, observation: Observation) -> Observation:
    """The same moment without what hosts reported that they cannot know."""
    reports = {name: _of_its_role(roles, name, report) for name, report in observation.reports.items()}
    for name in stale_members(sorted(roles.etcd | roles.leaving), reports):
        etcd = reports[name].etcd.model_copy(update={"reads_through_quorum": False})
        reports[name] = reports[name].model_copy(update={"etcd": etcd})
    return replace(observation, reports=reports)


def _of_its_role(roles: Roles, name: str, report: HostReport) -> HostReport:
    is_master = name in roles.masters | roles.leaving
    is_member = name in roles.etcd | roles.leaving
    unknown: dict[str, object] = {}
    if not is_member:
        unknown |= {"etcd": NO_ETCD, "snapshots": None}
    if not is_master:
        unknown |= {"apiserver": NO_APISERVER, "kubernetes": None, "settings": {}}
        unknown |= {"components": Components(), "workloads": None, "findings": None}
        unknown |= {"tokens": Tokens(), "conversions": ()}
    if not (is_member or is_master):
        unknown |= {"leftovers": report.leftovers.model_copy(update={"journal": None})}
    if not (is_master or name in roles.balancers):
        unknown |= {"balancer": NO_BALANCER}
    return report.model_copy(update=unknown)


def is_gone(
    node: str, entitled: Collection[str], reports: Mapping[str, HostReport], *, labels: frozenset[str]
) -> bool:
    """Whether a majority of the ``entitled`` masters reports that Node with these labels, and not Ready.

    A master that cannot be reached, or whose API server does not answer, is entitled and says nothing.
    """
    votes = 0
    for name in entitled:
        view = reports[name].kubernetes if name in reports else None
        seen = next((found for found in view.nodes if found.name == node), None) if view else None
        votes += seen is not None and labels <= set(seen.labels) and not seen.ready
    return bool(entitled) and votes >= majority(len(entitled))


def is_absent(node: str, entitled: Collection[str], reports: Mapping[str, HostReport]) -> bool:
    """Whether a majority of the ``entitled`` masters reports the cluster's Nodes without that one."""
    views = [reports[name].kubernetes for name in entitled if name in reports]
    votes = sum(node not in {found.name for found in view.nodes} for view in views if view is not None)
    return bool(entitled) and votes >= majority(len(entitled))
