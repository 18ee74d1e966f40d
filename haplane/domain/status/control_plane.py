"""Scheduler and controller manager: whether they run as their manifests say, reach an API server, and one leads."""

from __future__ import annotations

import re
from collections.abc import Mapping

from haplane.domain import host_paths
from haplane.domain.cluster_health import Pod
from haplane.domain.host_condition import REFUSALS
from haplane.domain.observed import Observation, views_of
from haplane.domain.plan import few
from haplane.domain.problem import UP, Problem, problem, word
from haplane.domain.status.causes import end_of
from haplane.domain.status.model import Roster
from haplane.domain.status.rotation import is_rotating
from haplane.domain.steps.leaders import leaderless
from haplane.domain.steps.nodes import ended_static_pods, has_unread_encryption, static_pods, unread_certificates

SERVER = re.compile(r"https://[\w.:\[\]-]+(?=: )", re.ASCII)
"""What ``unserved`` begins with."""
EFFECTS = {"kube-scheduler": "new pods are not scheduled", "kube-controller-manager": "no controller acts"}


def control_plane_problems(roster: Roster, observation: Observation, offsets: Mapping[str, float]) -> list[Problem]:
    """Manifests in conflict first: which of two definitions of a component runs is the kubelet's choice.

    ``offsets`` are by how many seconds hosts' clocks are ahead.
    """
    waiting = [pod for pod in static_pods(observation.reports) if not pod.ready]
    pods = {(pod.component, pod.node): pod for pod in reversed(waiting)}
    cut_off = _cut_off(roster, observation)
    all_cut_off = cut_off and len(cut_off) == len(_reaches(roster, observation))
    return [
        *_conflicts(roster, observation),
        *cut_off,
        *_unhealthy(roster, observation, pods),
        *_other_flags(roster, observation),
        *_unread(roster, observation),
        *_encryption(roster, observation),
        *([] if all_cut_off else _leaderless(roster, observation, offsets)),
    ]


def _leaderless(roster: Roster, observation: Observation, offsets: Mapping[str, float]) -> list[Problem]:
    """But for those that an API server lets nobody lead, which has a line of its own."""
    views = views_of(observation.of(roster.masters))
    return [
        problem(
            f"no {one.component} leads: {EFFECTS.get(one.component, 'it does nothing')}",
            why=one.why,
            fix=UP,
        )
        for one in leaderless(roster.masters, observation, offsets)
        if not any(f"leader/{one.component}" in view.hindered for view in views)
    ]


def _conflicts(roster: Roster, observation: Observation) -> list[Problem]:
    return [
        problem(
            f"{name}: {path} defines another {component}",
            why="the kubelet runs every file in that directory, and one of the two",
            fix=f"on {name}: `mv {word(path)} /root/`",
        )
        for name in roster.masters
        if name in observation.reports
        for path, component in observation.reports[name].components.conflicts.items()
    ]


def _reaches(roster: Roster, observation: Observation) -> dict[str, dict[str, list[str]]]:
    """Why a component gets to no API server -> component -> masters; "" where it does."""
    found: dict[str, dict[str, list[str]]] = {}
    for name in roster.masters:
        report = observation.reports.get(name)
        for component, state in report.components.of.items() if report else ():
            if component in EFFECTS:
                found.setdefault(state.unserved or "", {}).setdefault(component, []).append(name)
    return found


def _cut_off(roster: Roster, observation: Observation) -> list[Problem]:
    """One line for each cause; where the master's own API server is not ready, that is the cause, and named."""
    found = []
    for why, components in _reaches(roster, observation).items():
        hosts = sorted({name for names in components.values() for name in names})
        hosts = observation.with_ready_apiserver(hosts)
        if why and hosts:
            what = f"{', '.join(hosts)}: {' and '.join(sorted(components))} cannot use the API server"
            found.append(problem(what, why=why, fix=_fix_of(why, [roster.addresses[name] for name in hosts])))
    return found


def _fix_of(why: str, own: list[str]) -> str:
    """`up` knows the right address and makes credentials; what keeps it from its own address is the host's."""
    if "HTTP 429" in why:
        return "`kubectl get flowschemas,prioritylevelconfigurations` shows what rejects it, unless it passes"
    if any(words in why for words in REFUSALS) or not any(f"//{address}:" in why for address in own):
        return UP
    server = SERVER.match(why)
    if server is None:
        return UP
    return f"see what drops packets there: `curl -k -- {word(f'{server.group()}/readyz')}`"


def _unhealthy(roster: Roster, observation: Observation, pods: Mapping[tuple[str, str], Pod]) -> list[Problem]:
    found = []
    for name in roster.masters:
        report = observation.reports.get(name)
        if report is None:
            continue
        ended = ended_static_pods(name, observation.reports)
        for component, state in report.components.of.items():
            named = state.unserved is not None or bool(report.condition.stopped_of(component))
            if state.unhealthy is None or named:
                continue
            pod = pods.get((component, name))
            waiting = f"{pod.reason}: {pod.message}" if pod and pod.message else pod.reason if pod else ""
            why = waiting if waiting else state.unhealthy
            log = f"`kubectl --namespace=kube-system logs {component}-{name} --previous` shows its last output"
            fix = UP if component in ended or state.unhealthy.endswith("is missing") else log
            found.append(problem(f"{name}: {component} is not healthy", why=why, fix=fix, ends=end_of(why)))
    return found


def _other_flags(roster: Roster, observation: Observation) -> list[Problem]:
    return [
        problem(f"{name}: {component} does not match its manifest", why=few(state.differing, 2), fix=UP)
        for name in roster.masters
        if name in observation.reports and not observation.reports[name].components.conflicts
        for component, state in observation.reports[name].components.of.items()
        if state.differing
    ]


def _unread(roster: Roster, observation: Observation) -> list[Problem]:
    """Components that serve until the certificate that they read when they started expires."""
    found = []
    for name in roster.masters:
        unread = unread_certificates(observation.reports[name]) if name in observation.reports else {}
        if unread:
            what = f"{name}: {few(list(unread))} runs with an older certificate than the file has"
            found.append(problem(what, why=f"{few(list(unread.values()), 2)} changed after it started", fix=UP))
    return found


def _encryption(roster: Roster, observation: Observation) -> list[Problem]:
    """API servers without the keys of what is in etcd, or with others than those that the others write with."""
    path = host_paths.ENCRYPTION_YAML
    found = []
    for name in roster.masters if not is_rotating(roster, observation) else ():
        report = observation.reports.get(name)
        if report is None:
            continue
        is_older = has_unread_encryption(report)
        if report.apiserver.undecodable:
            put_back = f"add the key that wrote it to {path} on every master, behind the first, then {UP}"
            what = f"{name}: its API server cannot read every Secret that is in etcd"
            found.append(problem(what, why=report.apiserver.undecodable, fix=UP if is_older else put_back))
        elif is_older:
            what = f"{name}: kube-apiserver runs with older encryption keys than {path}"
            why = "the file changed after it started: other API servers may write what it cannot read"
            found.append(problem(what, why=why, fix=UP))
    return found
