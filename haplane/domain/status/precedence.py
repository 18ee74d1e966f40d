"""What takes the place of haplane's files, or undoes what they are for."""

from __future__ import annotations

from haplane.domain import host_paths
from haplane.domain.observed import HostReport, Observation
from haplane.domain.plan import are, few
from haplane.domain.problem import UP, Problem, problem, word
from haplane.domain.status.model import Roster
from haplane.domain.status.own_files import absent_files, absent_programs, node_evidence
from haplane.domain.steps.nodes import edited_files, runs_kubelet

MANIFESTS = host_paths.CONTROL_PLANE_MANIFESTS
"""Those that are missing are named with what they define."""
MADE_BY_KUBEADM = (*MANIFESTS, host_paths.KUBELET_CONFIG_YAML)


def precedence_problems(roster: Roster, observation: Observation) -> list[Problem]:
    """By host: what kubeadm made, units, then the pod network's configuration, then the packet filter."""
    found: list[Problem] = []
    for name, report in sorted(observation.reports.items()):
        seen = report.precedence
        if edited := edited_files(MADE_BY_KUBEADM, report):
            found.append(problem(f"{name}: {few(edited)} changed by hand", why="kubeadm made it for haplane", fix=UP))
        if lost := _lost(name, roster, report):
            found.append(problem(f"{name}: {few(lost)} is missing", why="kubeadm made it for haplane", fix=UP))
        if absent := absent_files(name, roster, report):
            why = "what needs it may run on, but does not start again"
            found.append(problem(f"{name}: {are(absent)} missing", why=why, fix=UP))
        if gone := absent_programs(name, roster, report):
            why = "haplane brings it with the bundle"
            found.append(problem(f"{name}: {are(gone)} missing or not executable", why=why, fix=UP))
        found += [
            _unit(name, unit, paths) for unit, paths in seen.units.items() if unit in roster.units.get(name, ())
        ]
        if roster.own_pod_network and (path := seen.overriding_cni):
            found.append(_cni(name, path))
        found += [
            problem(f"{name}: the kernel's {setting} is {value}: pods do not reach each other", fix=_remedy(value))
            for setting, value in seen.kernel.items()
        ]
        found += [_forward(name, place, roster.pod_network) for place in seen.forward]
    return found


def _lost(name: str, roster: Roster, report: HostReport) -> list[str]:
    """Kubeconfigs and settings that a node had: one that never had any is no node yet."""
    evidence = () if "files" in report.failed else node_evidence(name, roster)
    missing = [path for path in evidence if path not in report.files]
    was_none = len(missing) == len(evidence) and not runs_kubelet(report)
    return [] if was_none else [path for path in missing if path not in MANIFESTS]


def _unit(name: str, unit: str, paths: tuple[str, ...]) -> Problem:
    return problem(
        f"{name}: {unit} is started by {few(paths)}, not by haplane's unit alone",
        fix=f"on {name}: `mv {word(paths[0])} /root/ && systemctl daemon-reload && systemctl restart {unit}`",
    )


def _cni(name: str, path: str) -> Problem:
    return problem(
        f"{name}: pods get the network of {path}, not flannel's",
        why=f"it sorts before {host_paths.FLANNEL_CONFLIST.rpartition('/')[2]}",
        fix=f"on {name}: `mv {word(path)} /root/`",
    )


def _remedy(value: str) -> str:
    """The file that sets it would set it again at the next boot."""
    by = value.partition(", set by ")[2]
    return f"remove it from {word(by)}, then {UP}" if by else UP


def _forward(name: str, place: str, pods: str) -> Problem:
    if place == "legacy":
        chain = "iptables-legacy's FORWARD"
        command = " && ".join(f"iptables-legacy -I FORWARD -{side} {pods} -j ACCEPT" for side in "sd")
    else:
        chain = f"nftables' chain {place}"
        rules = "; ".join(f"insert rule {place} ip {side}addr {pods} accept" for side in "sd")
        command = f"nft {word(rules)}"
    return problem(
        f"{name}: the packet filter drops what pods send to other hosts",
        why=f"{chain} drops what none of its rules accepts, and accepts nothing from {pods}",
        fix=f"on {name}: `{command}`, and the same in the firewall's own configuration",
    )
