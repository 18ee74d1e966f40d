"""Why a node is not Ready, and why an API server is not: by what its Node, its host and its pod report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from haplane.domain import host_paths
from haplane.domain.apiserver_report import REFUSED_PROBES
from haplane.domain.host_condition import Stopped
from haplane.domain.observed import HostReport, LeftOut, Node, Observation, views_of
from haplane.domain.problem import UP, Ends, Problem, journal, on, problem, word
from haplane.domain.refusals import RESTART_APISERVER, fix_of_refusal
from haplane.domain.status.etcd_failures import fix_of_member
from haplane.domain.status.model import Roster
from haplane.domain.status.own_files import spoiled
from haplane.domain.steps.nodes import edited_files, ended_static_pods, static_pods

APISERVER = "kube-apiserver"
CRASHES = "crashes repeatedly"
"""The reason that kubernetes.py on hosts gives for a container which the kubelet waits to start again."""

OF_ETCD = re.compile(r"creating storage factory|127\.0\.0\.1:2379")
"""In the last words of an API server that gave up because its etcd did not answer. Once it does, the kubelet starts
another one, in up to five minutes.
"""
RUNTIME_FAILS = re.compile(r"container runtime|PLEG|rpc error|containerd", re.IGNORECASE)
NO_NETWORK = re.compile(r"cni plugin not initialized|NetworkPluginNotReady|NetworkReady=false", re.IGNORECASE)
"""In the message of a Node's condition Ready (pkg/kubelet/kubelet.go, runtime.go)."""


def not_ready(what: str, name: str, nodes: Mapping[str, Node], roster: Roster, observation: Observation) -> Problem:
    """The Node's own message; where its kubelet reports nothing any more, what the host does instead."""
    node, report = nodes.get(name), observation.reports.get(name)
    message = node.why if node is not None else "no API server knows it"
    if one := observation.left_out.get(name):
        return problem(what, why=observation.unreachable[name], fix=let_in(one), needs=[name])
    if report is None:
        login = f"`ssh {roster.ssh.get(name, name)}`"
        away = "its host is unreachable" if name in observation.unreachable else message
        fix = f"power {name} on, or find out why {login} fails, then {UP}"
        return problem(what, why=away, fix=fix, needs=[name])
    why, fix = (
        _of_its_host(name, report, roster)
        or _of_its_own_server(name, roster, observation)
        or _of_refused_writes(observation)
        or _of_its_message(name, message, report)
    )
    return problem(what, why=why or None, fix=fix)


def let_in(one: LeftOut) -> str:
    """What has a host that was left out take part again."""
    return f"{one.next_step}; then {UP}"


def _of_its_host(name: str, report: HostReport, roster: Roster) -> tuple[str, str] | None:
    """Cause and next step where the host shows more than its Node."""
    for unit in ("kubelet", "containerd"):
        state = report.units.get(unit)
        if unit in roster.units.get(name, ()) and "units" not in report.failed and not (state and state.active):
            return f"its {unit} is not running", UP
    for program in ("kubelet", "containerd"):
        if stopped := report.condition.stopped_of(program):
            return f"its {program} is stopped", on(name, continuing(stopped))
    if does_not_answer(report):
        return "its containerd is running but does not respond", on(name, "systemctl restart containerd")
    if found := _of_its_kubelet(name, report, roster):
        return found
    if why := spoiled(name, roster, report, "kubelet"):
        return why, UP
    return None


def _of_its_kubelet(name: str, report: HostReport, roster: Roster) -> tuple[str, str] | None:
    seen = report.kubelet
    if seen.is_refused:
        return f"its kubelet and the API server do not accept each other: {seen.unserved}", UP
    if seen.unserved:
        server = report.servers.get(host_paths.KUBELET_KUBECONFIG, f"https://{roster.endpoint}")
        shows = on(name, f"curl -vk {word(f'{server}/readyz')}") + " shows where a connection ends"
        return f"its kubelet does not reach the API server: {seen.unserved}", shows
    if seen.unhealthy:
        restart = on(name, "systemctl restart kubelet")
        return f"its kubelet is not healthy: {seen.last_error or seen.unhealthy}", restart
    return None


def _of_its_own_server(name: str, roster: Roster, observation: Observation) -> tuple[str, str] | None:
    """Where it is the one that its kubelet reports to: a worker's asks the endpoint."""
    report = observation.reports[name]
    server = report.servers.get(host_paths.KUBELET_KUBECONFIG, "")
    if report.apiserver.ready or not server.startswith(f"https://{roster.addresses.get(name)}:"):
        return None
    return "the API server there, which its kubelet connects to, is not ready", unresponsive_apiserver(
        name, roster, observation
    ).fix


def _of_refused_writes(observation: Observation) -> tuple[str, str] | None:
    """Where API servers would let no kubelet report its node, as more than half of them show."""
    views = views_of(observation.reports.values())
    for account, scope in (("kubelet/nodes", "nodes/"), ("kubelet/leases", "kube-node-lease/")):
        whys = [view.hindered[account] for view in views if account in view.hindered]
        if 2 * len(whys) > len(views):
            return whys[0], fix_of_refusal(scope, whys[0])
    return None


def does_not_answer(report: HostReport) -> bool:
    """Whether containerd runs, and lists no images in time."""
    unit = report.units.get("containerd")
    late = report.images is None and "images" not in report.failed
    return unit is not None and unit.active and (late or "ctr did not end" in report.failed.get("images", ""))


def _of_its_message(name: str, message: str, report: HostReport) -> tuple[str, str]:
    """The same by what the kubelet wrote into the Node."""
    if NO_NETWORK.search(message) and (path := report.precedence.overriding_cni):
        return f"{path} is no network that its runtime can use", on(name, f"mv {word(path)} /root/")
    if NO_NETWORK.search(message):
        return message, UP
    if RUNTIME_FAILS.search(message):
        return message, on(name, "systemctl restart containerd")
    return message, journal(name, "kubelet")


def end_of(reported: str | None) -> Ends:
    """When a problem may be over that a host reports as REASON, or REASON: MESSAGE."""
    crashes = reported is not None and reported.partition(": ")[0] == CRASHES
    return Ends.AFTER_BACK_OFF if crashes else Ends.SOON


def continuing(stopped: Sequence[Stopped]) -> str:
    """What has a program's processes go on that were stopped, or everything that was frozen with the first."""
    one = stopped[0]
    if not one.frozen:
        return f"kill -CONT {' '.join(str(each.process) for each in stopped if not each.frozen)}"
    service = one.frozen.rpartition("/")[0].rpartition("/")[2]
    thaw = f"systemctl thaw {word(service)}; " if service.endswith(".service") else ""
    return f"{thaw}echo {'THAWED' if one.frozen.endswith('freezer.state') else 0} > {word(one.frozen)}"


def unresponsive_apiserver(name: str, roster: Roster, observation: Observation) -> Problem:
    """What keeps it from being ready, from running at all, or from being asked whether it is."""
    report = observation.reports[name]
    return _refusing_probes(name, report) if report.apiserver.refuses_probes else _dead(name, roster, observation)


def _dead(name: str, roster: Roster, observation: Observation) -> Problem:
    """It asks the member of etcd beside it and no other."""
    report = observation.reports[name]
    what = f"{name}: its API server is not ready"
    if of_its_member := _of_its_member(name, roster, report):
        why, fix = of_its_member
        return problem(what, why=why, fix=fix)
    unit = report.units.get("kubelet")
    if "units" not in report.failed and not (unit and unit.active):
        return problem(what, why=_answer(report) or "its kubelet is not running", fix=UP)
    if stopped := report.condition.stopped_of(APISERVER):
        return problem(what, why=f"its process {stopped[0].process} is stopped", fix=on(name, continuing(stopped)))
    if of_its_manifest := _of_its_manifest(name, report):
        why, fix = of_its_manifest
        return problem(what, why=why, fix=fix)
    edited = bool(edited_files((host_paths.APISERVER_MANIFEST,), report))
    pod = next(
        (pod for pod in static_pods(observation.reports) if (pod.component, pod.node) == (APISERVER, name)), None
    )
    waits = f"{pod.reason}: {pod.message}".strip(": ") if pod is not None and not pod.ready else None
    own = spoiled(name, roster, report, APISERVER)
    if edited or own or APISERVER in ended_static_pods(name, observation.reports):
        return problem(what, why=own or waits or _answer(report), fix=UP, ends=end_of(waits))
    why = report.apiserver.last_error or waits or report.apiserver.why
    lacked_etcd = report.etcd.reads_through_quorum and OF_ETCD.search(report.apiserver.last_error)
    fix = on(name, "systemctl restart kubelet") if lacked_etcd else _words_of_apiserver(name, report)
    return problem(what, why=why, fix=fix, ends=end_of(waits))


def _of_its_member(name: str, roster: Roster, report: HostReport) -> tuple[str, str] | None:
    """Cause and next step where the member beside it does not run."""
    if failure := report.etcd.failure:
        cause = f"the etcd member beside it fails: {failure.kind.value}"
        return cause, fix_of_member(failure, name, roster, report)
    unit = report.units.get("etcd")
    if name in roster.etcd and unit is not None and not unit.active:
        return "the etcd member beside it is not running", UP
    return None


def _refusing_probes(name: str, report: HostReport) -> Problem:
    """Load balancers have no credentials. Who may ask is a matter of a role and of a file of haplane's."""
    what = f"{name}: its API server refuses health checks: load balancers send nothing to it"
    if report.apiserver.why != REFUSED_PROBES[1]:
        return problem(what, why=f"{report.apiserver.why}: anonymous requests are disabled", fix=UP)
    lost = report.workloads is not None and bool(report.workloads.lost_roles)
    why = f"{report.apiserver.why}: the role system:public-info-viewer, or its binding, was deleted or changed"
    return problem(what, why=why, fix=UP if lost else on(name, RESTART_APISERVER))


def _of_its_manifest(name: str, report: HostReport) -> tuple[str, str] | None:
    """Cause and next step where it is gone, or is not the only one."""
    if host_paths.APISERVER_MANIFEST not in report.files and "files" not in report.failed:
        return f"{host_paths.APISERVER_MANIFEST} is missing", UP
    for path, component in report.components.conflicts.items():
        if component == APISERVER:
            why = f"{path} defines another one, and the kubelet runs one of the two"
            return why, on(name, f"mv {word(path)} /root/")
    return None


def _words_of_apiserver(name: str, report: HostReport) -> str:
    """Where it has written what keeps it: the kubelet has, if there is no log of a container."""
    if "refused" in report.apiserver.why and not report.apiserver.last_error:
        return journal(name, "kubelet")
    return on(name, f"tail -n 20 /var/log/pods/kube-system_kube-apiserver-{name}_*/kube-apiserver/*.log")


def _answer(report: HostReport) -> str:
    """Its last words where nothing listens any more, else what its /readyz reports."""
    return report.apiserver.last_error or report.apiserver.why
