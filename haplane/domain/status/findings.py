"""What the cluster's own objects show: services that are gone, namespaces that do not go, controllers that idle."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from haplane.domain.cluster_health import Workloads
from haplane.domain.consensus import agreed_view
from haplane.domain.findings import Findings, NotAvailable
from haplane.domain.observed import Kubernetes, Observation, views_of
from haplane.domain.plan import few
from haplane.domain.problem import UP, Problem, journal, problem
from haplane.domain.refusals import remedy
from haplane.domain.status.model import Roster
from haplane.domain.status.own_files import spoiled
from haplane.domain.status.own_pods import own_pod_problems
from haplane.domain.status.registration import FREE
from haplane.domain.steps.leaders import leaderless

REMAINING = re.compile(r"\b([a-z0-9]+(?:\.[a-z0-9-]+)*)\.? has \d+ resource instance")
"""In the condition NamespaceContentRemaining; the group of a core resource is empty, its dot is not."""
NO_PLUGIN = re.compile(r"failed to find plugin|subnet\.env: no such file|failed to get sandbox image")
"""What `up` puts in place: programs, flannel's file and the pause image."""
KUBERNETES, DNS = "default/kubernetes", "kube-system/kube-dns"


def finding_problems(
    roster: Roster, observation: Observation, kubernetes: Kubernetes | None, offsets: Mapping[str, float]
) -> list[Problem]:
    """As most of the masters report them. ``offsets`` are by how many seconds hosts' clocks are ahead."""
    view, views = agreed_findings(roster, observation), views_of(observation.of(roster.masters))
    if view is None:
        return []
    workloads = agreed_view(views)
    idle = {one.component for one in leaderless(roster.masters, observation, offsets)}
    return [
        *_api_services(view),
        *_terminating(view),
        *_idle(view, workloads, idle, roster),
        *_unbound(view, views),
        *_unstarted(view, kubernetes, roster, observation),
        *own_pod_problems(view, kubernetes, observation.reports),
        *_displaced_dns(view),
        *_service_networks(view),
        *_endpoints(view, workloads, kubernetes, roster, observation),
        *_unread(view),
    ]


def agreed_findings(roster: Roster, observation: Observation) -> Findings | None:
    """What most of the masters report; None where none does."""
    return agreed_view([report.findings for report in observation.of(roster.masters) if report.findings is not None])


def _api_services(view: Findings) -> list[Problem]:
    return [
        problem(
            f"the API {one.name} is not available: namespaces are not deleted, and what uses it fails",
            why=one.why,
            fix=f"restore the service behind it, or `kubectl delete apiservice {one.name}`",
        )
        for one in view.api_services
    ]


def _terminating(view: Findings) -> list[Problem]:
    return [
        problem(
            f"the namespace {one.name} has been terminating for minutes",
            why=one.why or "no controller has reported why: check that kube-controller-manager works",
            fix=_fix_of_namespace(one, view),
        )
        for one in view.terminating
    ]


def _fix_of_namespace(one: NotAvailable, view: Findings) -> str:
    if remaining := REMAINING.search(one.why):
        get = f"`kubectl --namespace={one.name} get {remaining.group(1)}`"
        return f"end or delete what {get} shows; if what its finalizers name is gone, remove those"
    if view.api_services and "discovery" in one.why.lower():
        return f"restore or delete the API it waits for: `kubectl delete apiservice {view.api_services[0].name}`"
    return f"`kubectl describe namespace {one.name}` shows its conditions"


def _idle(view: Findings, workloads: Workloads | None, leaderless_ones: set[str], roster: Roster) -> list[Problem]:
    """Components that hold and renew their lease and do nothing; one that nobody leads has a line of its own."""
    found = []
    for component, names, what in (
        (
            "kube-scheduler",
            view.unscheduled,
            "the scheduler has not looked at pods that are pending for over a minute",
        ),
        (
            "kube-controller-manager",
            view.unobserved,
            "Deployments changed over a minute ago without effect",
        ),
    ):
        if not names or component in leaderless_ones:
            continue
        lease = workloads.leases.get(component) if workloads else None
        host = lease.holder.partition("_")[0] if lease else ""
        leads = host in roster.masters
        log = f"logs {component}-{host}" if leads else f"logs --selector=component={component} --prefix"
        found.append(
            problem(
                f"{what}: {few(names)}",
                why=f"{component} on {host} leads and renews its lease, but does nothing" if leads else None,
                fix=f"`kubectl --namespace=kube-system {log} --tail=50` shows what fails",
            )
        )
    return found


def _unbound(view: Findings, views: Sequence[Workloads]) -> list[Problem]:
    """By the first one's error; a webhook that does not answer is named by itself."""
    votes = Counter(name for one in views for name in {hook.webhook for hook in one.webhooks})
    hooks = [name for name, count in votes.items() if 2 * count > len(views)]
    errors = [one for one in view.unbound if not any(hook in one.why for hook in hooks)]
    if not errors:
        return []
    log = "logs --selector=component=kube-scheduler --prefix --tail=50"
    fix = remedy(errors[0].name.partition("/")[0], errors[0].why)
    fix = fix or f"`kubectl --namespace=kube-system {log}` shows what fails"
    what = f"the scheduler fails to bind pods to nodes: {few([one.name for one in errors])}"
    return [problem(what, why=errors[0].why or None, fix=fix)]


def _unstarted(
    view: Findings, kubernetes: Kubernetes | None, roster: Roster, observation: Observation
) -> list[Problem]:
    """One line for each node that is Ready: others have one of their own."""
    ready = {node.name for node in kubernetes.nodes if node.ready} if kubernetes else set()
    found = []
    for name in sorted({one.node for one in view.unstarted} & ready):
        pods = [one for one in view.unstarted if one.node == name]
        report, why = observation.reports.get(name), pods[0].why
        own = report and (spoiled(name, roster, report, "containerd") or spoiled(name, roster, report, "kubelet"))
        refused = remedy(pods[0].name.partition("/")[0], why)
        fix = UP if own or NO_PLUGIN.search(why) else refused or journal(name, "containerd")
        what = f"{name}: pods do not start there: {few([one.name for one in pods])}"
        found.append(problem(what, why=f"{own}; {why}" if own else why or None, fix=fix, needs=[name]))
    return found


def _displaced_dns(view: Findings) -> list[Problem]:
    """A service keeps its address for as long as it exists."""
    seen = view.displaced_dns
    namespace, _, name = seen.holder.partition("/")
    if seen.holder:
        what = f"pods do not reach cluster DNS: its address belongs to the service {seen.holder}"
        return [problem(what, fix=f"`kubectl --namespace={namespace} delete service {name}`, then {UP}")]
    if seen.address:
        address = f"the service kube-dns has the address {seen.address}, which no pod uses"
        what = f"pods do not reach cluster DNS: {address}"
        return [problem(what, why="somebody created it anew", fix=UP)]
    return []


def _service_networks(view: Findings) -> list[Problem]:
    return [
        problem(
            f"new Services get no address: the ServiceCIDR {one.name} is not usable",
            why=one.why,
            fix=f"`kubectl patch servicecidr {one.name} {FREE}`: API servers create kubernetes anew within 10 s",
        )
        for one in view.service_networks[:1]
    ]


def _endpoints(
    view: Findings,
    workloads: Workloads | None,
    kubernetes: Kubernetes | None,
    roster: Roster,
    observation: Observation,
) -> list[Problem]:
    """Of the two services that every pod relies on; one that somebody deleted or edited is named as that."""
    touched = " ".join((*workloads.missing, *workloads.edited)) if workloads else ""
    found = []
    ready_dns = kubernetes.coredns_ready if kubernetes else 0
    if ready_dns and "services/kube-dns" not in touched and view.endpoints.get(DNS) == ():
        found.append(
            problem(
                "pods cannot resolve names: the service kube-dns has no endpoints",
                why="CoreDNS pods are ready, but it selects none of them",
                fix="`kubectl --namespace=kube-system describe service kube-dns` shows what it selects",
            )
        )
    listed = view.endpoints.get(KUBERNETES, ())
    ready = observation.with_ready_apiserver(roster.masters)
    known = {roster.addresses[name] for name in roster.masters}
    lost = [name for name in ready if roster.addresses[name] not in listed]
    strange = [] if roster.leaving else [address for address in listed if address not in known]
    parts = [f"{few(lost)} missing"] if lost else []
    parts += [f"{few(strange)} not a master's"] if strange else []
    if KUBERNETES in view.endpoints and parts:
        found.append(
            problem(
                "the service kubernetes, by which pods reach the API, does not list every API server",
                why=", ".join(parts),
                fix="`kubectl get endpointslices kubernetes --output=yaml --show-managed-fields` shows who wrote it; "
                "API servers write it every 10 s",
            )
        )
    return found


def _unread(view: Findings) -> list[Problem]:
    return [
        problem(
            f"the API servers' answer about {question} is not understood",
            why=why,
            fix="check by hand: `kubectl get apiservices,namespaces,deployments --all-namespaces`",
        )
        for question, why in view.unread.items()
    ]
